"""Trainer: the half of vlmft that loads torch. `train_vlm_sft` is the program that DeepSpeed starts."""
