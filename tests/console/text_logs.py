"""Lines as training programs print them, and what is to be read from them."""

# ruff: noqa: E501, RUF001
from __future__ import annotations

from typing import Final, NamedTuple

Points = list[tuple[int, float]]


class Sample(NamedTuple):
    """A log, and its training points and evals as (step, loss)."""

    text: str
    steps: Points
    evals: Points | tuple[()] = ()


def _lines(template: str, *values: tuple[object, ...]) -> str:
    return "".join(template.format(*each) + "\n" for each in values)


THREE: Final[Points] = [(10, 2.5), (20, 2.25), (30, 2.0)]
FIRST: Final[Points] = [(1, 2.5), (2, 2.25), (3, 2.0)]

SAMPLES: Final[dict[str, Sample]] = {
    "torchtune": Sample(
        _lines("Step {} | loss:{} lr:2e-05 tokens_per_second_per_gpu:1200.5 grad_norm:0.7 ", *FIRST), FIRST
    ),
    "torchtitan": Sample(
        _lines(
            "[rank0]:\x1b[31mstep: {:2}  \x1b[32mloss: {:8.5f}  \x1b[38;2;180;60;0mgrad_norm:  4.1  \x1b[34mmemory: 20.00GiB"
            "(25.00%)  \x1b[35mtps: 7,000  tflops: 300.00  mfu: 30.00%\x1b[39m",
            *FIRST,
        )
        + "[rank0]:[titan] 2025-01-01 00:00:09,000 - root - INFO - validate step:  3  loss:  2.50000  memory: 20.00GiB(25.00%)"
        "  tps: 7,000\n",
        FIRST,
        [(3, 2.5)],
    ),
    "megatron": Sample(
        "training ...\n[before the start of training step] datetime: 2025-01-01 00:00:00 \n"
        + _lines(
            " [2025-01-01 00:01:00] iteration {:8}/    1000 | consumed samples:          640 | elapsed time per iteration (ms):"
            " 812.4 | learning rate: 1.000000E-04 | global batch size:    64 | lm loss: {:E} | loss scale: 1.0 | grad norm:"
            " 1.200 | number of skipped iterations:   0 | number of nan iterations:   0 |",
            *THREE,
        )
        + "(min, max) time across ranks (ms):\n    evaluate .......: (812.4, 812.5)\n"
        "-----------------------------\n validation loss at iteration 30 | lm loss value: 2.125000E+00 | lm loss PPL:"
        " 8.372897E+00 | \n-----------------------------\n",
        THREE,
        [(30, 2.125)],
    ),
    "megatron-deepspeed": Sample(
        _lines(
            "[default7]: iteration {:8}/  100000 | consumed samples:  5120 | consumed tokens: 10485760 | elapsed time per"
            " iteration (s): 12.5 | learning rate: 1.2E-06 | global batch size: 512 | lm loss: {:E} | grad norm: 1.2 | num"
            " zeros: 0.0 | number of skipped iterations: 0 | number of nan iterations: 0 | samples per second: 40.9 |"
            " TFLOPs: 150.1 |\n[default0]:[2022-03-01 00:00:00,000] [INFO] [logging.py:69:log_dist] [Rank 0] step={}, skipped=0,"
            " lr=[1.2e-06, 1.2e-06], mom=[(0.9, 0.95), (0.9, 0.95)]",
            *((step, loss, step) for step, loss in THREE),
        )
        + "[default7]: validation loss at iteration 30 | lm loss value: 2.125E+00 | lm loss PPL: 8.37E+00 |\n",
        THREE,
        [(30, 2.125)],
    ),
    "gpt-neox": Sample(
        _lines(
            " samples/sec: 10.1 | iteration {:6}/  320000 | elapsed time per iteration (ms): 900.1 | learning rate: 1.0e-06 |"
            " approx flops per GPU: 100.1TFLOPS | lm_loss: {:E} | loss scale: 65536.0 | number of skipped iterations: 0 |"
            " number of nan iterations: 0 |",
            *THREE,
        )
        + " validation results at iteration 30 | lm_loss value: 2.125E+00 | lm_loss_ppl value: 8.37E+00 |\n",
        THREE,
        [(30, 2.125)],
    ),
    "swiss army transformer": Sample(
        _lines(
            "[2023-05-01 00:00:00,000] [INFO] [RANK 0]  iteration {:8}/    1000 | elapsed time per iteration (ms): 1000.0 |"
            " learning rate 1.000E-05 | total loss {:E} | loss 2.400000E+00 |speed 10.0 samples/(min*GPU)",
            *THREE,
        ),
        [(10, 2.4), (20, 2.4), (30, 2.4)],
    ),
    "nemo": Sample(
        _lines(
            "Training epoch 0, iteration {}/99 | lr: 1e-05 | global_batch_size: 128 | global_step: {} | reduced_train_loss: {}"
            " | train_step_timing in s: 4.2 | consumed_samples: 128",
            *((step, step, loss) for step, loss in FIRST),
        )
        + "Training epoch 0, iteration 4/99 | lr: 1e-05 | global_step: 4 | reduced_train_loss: 1.75 | val_loss: 2.125\n",
        [*FIRST, (4, 1.75)],
        [(4, 2.125)],
    ),
    "nanogpt": Sample(
        "tokens per iteration will be: 491,520\nnumber of parameters: 123.59M\n"
        "step 0: train loss 4.25, val loss 4.375\niter 0: loss 4.25, time 12000.12ms, mfu -100.00%\n"
        "iter 10: loss 3.5, time 12.12ms, mfu 3.00%\nstep 20: train loss 3.0, val loss 3.25\nsaving checkpoint to out\n"
        "iter 20: loss 3.125, time 12.12ms, mfu 3.00%\n",
        [(0, 4.25), (10, 3.5), (20, 3.125)],
        [(0, 4.375), (20, 3.25)],
    ),
    "llama2.c": Sample(
        "step 0: train loss 4.25, val loss 4.375\n"
        + _lines("{} | loss {} | lr 1.000000e-04 | 12.34ms | mfu 5.00%", *THREE),
        [(0, 4.25), *THREE],
        [(0, 4.375)],
    ),
    "llm.c": Sample(
        "val loss 11.0\n"
        + _lines(
            "step {:4}/18865 | loss {:.6f} (+nanz)| norm 15.25 (+nanz)| lr 1.0e-06 | 300.10 ms | 48.1% bf16 MFU | 1743k tok/s",
            *FIRST,
        )
        + "val loss 10.5\n",
        FIRST,
        [(0, 11.0), (3, 10.5)],
    ),
    "modded-nanogpt": Sample(
        "import os\nimport torch\nfor step in range(10):\n    train_loss = 0.0\n"
        '    print0(f"step:{step}/{steps} train_loss:{loss:.4f}")\n'
        "step:0/100 val_loss:10.5 train_time:0ms step_avg:nanms\n"
        + _lines("step:{}/100 train_loss:{} train_time:200ms step_avg:200.00ms", *FIRST)
        + "step:3/100 val_loss:2.125 train_time:600ms step_avg:200.00ms\n"
        "peak memory allocated: 30000 MiB reserved: 31000 MiB\n",
        FIRST,
        [(0, 10.5), (3, 2.125)],
    ),
    "nanochat": Sample(
        "Step 00000 | Validation loss: 3.5\n"
        + _lines(
            "step {:05}/00700 (1.43%) | loss: {} | grad norm: 0.5 | lrm: 1.00 | dt: 500.1ms | tok/sec: 1,000,000",
            *THREE,
        )
        + "Step 00030 | Validation loss: 2.125\n",
        THREE,
        [(0, 3.5), (30, 2.125)],
    ),
    "minimind, whose steps begin anew with every epoch": Sample(
        _lines(
            "Epoch:[{}/2]({}/1000), loss: {}, lr: 0.0005, epoch_time: 12.0min",
            (1, 500, 2.5),
            (1, 1000, 2.25),
            (2, 500, 2.0),
        ),
        [(500, 2.5), (1000, 2.25), (1500, 2.0)],
    ),
    "marian, whose loss is a cost": Sample(
        _lines(
            "[2022-04-13 06:53:36] Ep. 1 : Up. {} : Sen. 1,280 : Cost {:.8f} : Time 85.53s : 1.00 words/s : L.r. 1.0e-04",
            *THREE,
        )
        + "[2022-04-13 06:53:44] [valid] Ep. 1 : Up. 30 : cross-entropy : 2.125 : stalled 10 times (last best: 1.9159)\n"
        "[2022-04-13 06:53:46] [valid] Ep. 1 : Up. 30 : perplexity : 2.51369 : new best\n",
        THREE,
        [(30, 2.125)],
    ),
    "sockeye, whose losses are perplexities": Sample(
        _lines(
            "[2020-02-03:04:05:06:INFO:sockeye.training:__call__] Epoch[0] Batch [{}]\tSpeed: 9.1 samples/sec\tperplexity=1.0",
            (10,),
            (20,),
        )
        + "[2020-02-03:04:05:06:INFO:sockeye.training:_create] Checkpoint [1]\tTrain-perplexity=1.000000\n"
        "[2020-02-03:04:05:06:INFO:sockeye.training:_create] Checkpoint [1]\tValidation-perplexity=1.000000\n",
        [(10, 0.0), (20, 0.0)],
        [(20, 0.0)],
    ),
    "lightgbm": Sample(
        _lines("[{}]\ttraining's binary_logloss: {}\tvalid_1's binary_logloss: 2.125", *THREE),
        THREE,
        [(10, 2.125), (20, 2.125), (30, 2.125)],
    ),
    "kaldi's nnet1": Sample(
        "CROSSVAL PRERUN AVG.LOSS 7.8701 (Xent), \n"
        + _lines("ITERATION {:02}: TRAIN AVG.LOSS {}, (lrate0.008), CROSSVAL AVG.LOSS 2.125, nnet accepted", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "thousands of steps": Sample(
        _lines("step {}k loss {} lr 1e-4", *((step / 10, loss) for step, loss in THREE)),
        [(1000, 2.5), (2000, 2.25), (3000, 2.0)],
    ),
    "thousands of steps, to four digits": Sample(
        _lines("step {:.4f}k loss {} lr 1e-4", *((step / 10, loss) for step, loss in THREE)),
        [(1000, 2.5), (2000, 2.25), (3000, 2.0)],
    ),
    **{
        f"two losses, and {name} between them": Sample(
            _lines(f"step {{}} loss {{:.3f}} {name} 4096 total_loss 2.600", *THREE), THREE
        )
        for name in ("valid_tokens", "value", "device_mem", "dev_util", "test_time", "val_acc")
    },
    "how many thousands of steps there will be": Sample(
        _lines("steps: 10k, step: {}, loss: {}", *THREE) + _lines("max step 10k, step: {}, loss: {}", (40, 1.75)),
        [*THREE, (40, 1.75)],
    ),
    "Chinese": Sample(
        _lines("第{}轮 训练损失：{}，验证损失：2.125，学习率：0.0001", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "Japanese": Sample(
        _lines("エポック {}/3 訓練損失: {} 検証損失: 2.125", *FIRST), FIRST, [(1, 2.125), (2, 2.125), (3, 2.125)]
    ),
    "German": Sample(
        _lines("Epoche {}/3 - Trainingsverlust: {} - Validierungsverlust: 2.125", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "French": Sample(
        _lines("Époque {}/3 : perte d'entraînement : {} perte de validation : 2.125", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "mae and detr, whose mean over the set comes after its batches": Sample(
        _lines("Epoch: [0]  [{}/100]  eta: 0:12:01  lr: 0.0001  loss: {} (9.0000)  time: 0.4123", *THREE)
        + "Test:  [ 0/20]  eta: 0:00:12  loss: 1.5000 (1.7500)  acc1: 81.2500 (81.2500)\n* Acc@1 71.2 Acc@5 91.2 loss 2.125\n",
        THREE,
        [(30, 2.125)],
    ),
    "two accuracies and two losses": Sample(
        _lines("[{:03}/012] 12.12 sec(s) Train Acc: 0.71 Loss: {} | Val Acc: 0.70 loss: 2.125", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "pm2": Sample(_lines("0|train    | epoch 1 step {} loss={}", *THREE), THREE),
    "a time, then the step in brackets": Sample(_lines("Mar 14 09:26:53 [{}] loss: {}, lr: 1e-4", *THREE), THREE),
    "coqui": Sample(
        "".join(
            f"   --> TIME: 2025-03-14 09:26:53 -- STEP: {step}/100 -- GLOBAL_STEP: {step}\n     | > loss: {loss}  (9.5)\n"
            "     | > step_time: 0.4  (0.4)\n\n"
            for step, loss in THREE
        )
        + " > EVALUATION \n\n  --> EVAL PERFORMANCE\n     | > avg_loss: 2.125 (-0.0123)\n",
        THREE,
        [(30, 2.125)],
    ),
    "two evals in an epoch, alike in three digits": Sample(
        "Epoch: [0][10/100]\tLoss 2.5 (2.5)\nTest: [ 20/40]\tLoss 1.3186e+00 (1.3186e+00)\n"
        "Epoch: [0][20/100]\tLoss 2.25 (2.25)\nTest: [ 20/40]\tLoss 1.3185e+00 (1.3185e+00)\n",
        [(10, 2.5), (20, 2.25)],
        [(10, 1.3186), (20, 1.3185)],
    ),
    "evals after their names": Sample(
        _lines("step {} loss {}", *THREE) + "dev loss at step 30: 2.125\n", THREE, [(30, 2.125)]
    ),
    "ranks that tell losses of their own": Sample(
        "".join(f"[Rank {rank}] step {step} local loss {loss + rank}\n" for step, loss in THREE for rank in (0, 1)),
        THREE,
    ),
    "evals in dicts, and the training in lines": Sample(
        "".join(f"step {step} loss {loss}\nstep {step + 1} loss {loss}\n" for step, loss in THREE)
        + 'validation result: {"loss": 2.125, "acc": 0.5}\n',
        [(step + more, loss) for step, loss in THREE for more in (0, 1)],
        [(31, 2.125)],
    ),
    "steps of evals": Sample(
        _lines("Train Step: {} Loss: {}", *THREE) + "Eval Step: 30 Loss: 2.125\n", THREE, [(30, 2.125)]
    ),
    "minimind, older": Sample(
        _lines(
            "Epoch:[{}/2]({}/1000) loss:{} lr:0.0005 epoch_Time:12.0min:", (1, 500, 2.5), (2, 0, 2.25), (2, 500, 2.0)
        ),
        [(500, 2.5), (1000, 2.25), (1500, 2.0)],
    ),
    "verl": Sample(
        _lines(
            "\x1b[36m(TaskRunner pid=101)\x1b[0m step:{} - global_seqlen/mean:9000.0 - actor/entropy:0.5 - actor/pg_loss:"
            "np.float64({}) - actor/grad_norm:0.4 - actor/lr:1e-06 - critic/rewards/mean:0.02 - timing_s/step:40.0",
            *FIRST,
        ),
        FIRST,
    ),
    "verl's fine-tuning": Sample(
        _lines("step:{} - train/loss:{} - train/lr(1e-3):0.01 - train/time(s):0.5", *FIRST)
        + "step:3 - val/loss:2.125\n",
        FIRST,
        [(3, 2.125)],
    ),
    "xtuner": Sample(
        _lines(
            "2025/01/01 00:00:01 - mmengine - INFO - Iter(train) [{:4}/300]  lr: 1.0000e-04  eta: 0:10:00  time: 1.2000"
            "  data_time: 0.0100  memory: 9000  loss: {:.4f}  grad_norm: 0.5",
            *THREE,
        ),
        THREE,
    ),
    "mmengine by epochs": Sample(
        _lines(
            "2023/01/01 00:00:01 - mmengine - INFO - Epoch(train)  [{}][ {}/100]  base_lr: 1e-03 lr: 1e-03  eta: 1 day, 3:00:00"
            "  time: 0.5  data_time: 0.1  memory: 3000  loss: {}  loss_cls: 1.5",
            (1, 50, 2.5),
            (1, 100, 2.25),
        )
        + "2023/01/01 00:00:02 - mmengine - INFO - Epoch(val) [1][10/25]    eta: 0:00:01  time: 0.1  data_time: 0.1\n"
        "2023/01/01 00:00:02 - mmengine - INFO - Epoch(val) [1][25/25]    loss: 2.125  data_time: 0.1  time: 0.1\n"
        "2023/01/01 00:00:03 - mmengine - INFO - Epoch(train)  [2][ 50/100]  lr: 1e-03  eta: 1 day, 3:00:00  loss: 2.0\n",
        [(50, 2.5), (100, 2.25), (150, 2.0)],
        [(100, 2.125)],
    ),
    "mmcv": Sample(
        _lines(
            "2021-01-01 00:00:00,000 - mmdet - INFO - Epoch [{}][{}/7330]\tlr: 1.978e-03, eta: 1 day, 3:00:00, time: 0.3,"
            " data_time: 0.05, memory: 3000, loss_rpn_cls: 0.6, loss_cls: 0.9, acc: 80.1, loss: {}",
            (1, 50, 2.5),
            (1, 100, 2.25),
            (2, 50, 2.0),
        ),
        [(50, 2.5), (100, 2.25), (7380, 2.0)],
    ),
    "python logging": Sample(
        _lines("2025-01-01 00:00:01,000 - INFO - epoch 1 step {} loss: {} lr: 1.0e-04 grad_norm: 0.8", *THREE), THREE
    ),
    "tqdm, each step drawn twice": Sample(
        "".join(
            f"\rEpoch 1:  {step}%|█▏        | {step}/100 [00:10<01:20,  1.10it/s, loss={loss}, lr=1e-4]" * 2
            + f"\rEpoch 1:  {step}%|█▏        | {step + 1}/100 [00:10<01:20,  1.10it/s, loss={loss}, lr=1e-4]"
            for step, loss in THREE
        ),
        THREE,
    ),
    "tqdm over two epochs": Sample(
        "".join(
            f"\rEpoch {epoch}:  {step}%|█▏        | {step}/100 [00:10<01:20,  1.10it/s, loss={loss}]"
            for epoch, step, loss in ((0, 50, 2.5), (0, 100, 2.25), (1, 50, 2.0))
        ),
        [(50, 2.5), (100, 2.25), (150, 2.0)],
    ),
    "tqdm without a word on epochs": Sample(
        "".join(
            f"\r {step}%|█▏| {step}/100 [00:10<?, ?it/s, loss={loss}]"
            for step, loss in ((50, 2.5), (100, 2.25), (1, 2.0))
        ),
        [(50, 2.5), (100, 2.25), (101, 2.0)],
    ),
    "lightning": Sample(
        "".join(
            f"\rEpoch {epoch}: {step:3}%|██| {step}/100 [00:10<00:00, 180.20it/s, v_num=0, train_loss={loss}{evals}]"
            for epoch, step, loss, evals in (
                (0, 50, "2.500", ""),
                (0, 100, "2.250", ""),
                (0, 100, "2.250", ", val_loss=2.120"),
                (1, 50, "2.000", ", val_loss=2.120"),
                (1, 100, "1.750", ", val_loss=2.000"),
            )
        )
        + "\n`Trainer.fit` stopped: `max_epochs=2` reached.\n",
        [(50, 2.5), (100, 2.25), (150, 2.0), (200, 1.75)],
        [(100, 2.12), (200, 2.0)],
    ),
    "keras": Sample(
        _lines(
            "Epoch {}/2\n  1/100 [..............................] - ETA: 1:20 - loss: {} - accuracy: 0.1\r100/100"
            " [==============================] - 2s 20ms/step - loss: {} - accuracy: 0.5 - val_loss: {} - val_accuracy: 0.5",
            (1, 2.5, 2.25, 2.125),
            (2, 2.0, 1.75, 2.0),
        ),
        [(1, 2.5), (100, 2.25), (101, 2.0), (200, 1.75)],
        [(100, 2.125), (200, 2.0)],
    ),
    "keras 3": Sample(
        _lines(
            "Epoch {}/2\n\x1b[1m100/100\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m2s\x1b[0m 10ms/step"
            " - accuracy: 0.9 - loss: {} - val_accuracy: 0.9 - val_loss: {}",
            (1, 2.5, 2.125),
            (2, 2.25, 2.0),
        ),
        [(100, 2.5), (200, 2.25)],
        [(100, 2.125), (200, 2.0)],
    ),
    "fairseq": Sample(
        _lines(
            "2021-01-01 00:00:00 | INFO | train_inner | epoch 001:    {} / 1000 loss=2.9, nll_loss={}, ppl=8.6, wps=10.5, ups=1.2,"
            " wpb=100, bsz=8, num_updates={}, lr=0.0001, gnorm=1.2, loss_scale=8, train_wall=10, wall=20",
            *((step, loss, step) for step, loss in THREE),
        )
        + "2021-01-01 00:00:09 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 2.125 | nll_loss 2.0 | ppl 8.0 |"
        " wps 10 | num_updates 30 | best_loss 2.125\n"
        "2021-01-01 00:00:09 | INFO | train | epoch 001 | loss 2.9 | nll_loss 2.2 | ppl 9 | num_updates 30 | lr 0.0001\n",
        [(10, 2.9), (20, 2.9), (30, 2.9)],
        [(30, 2.125)],
    ),
    "accelerate": Sample(
        _lines("epoch {}: train_loss: {}", (0, 2.5), (1, 2.25))
        + "01/01/2025 00:00:00 - INFO - __main__ - epoch 1: perplexity: 8.37 eval_loss: tensor(2.125, device='cuda:0')\n",
        [(1, 2.5), (2, 2.25)],
        [(2, 2.125)],
    ),
    "peft's examples": Sample(
        _lines(
            "epoch={}: train_ppl=tensor(9.1, device='cuda:0') train_epoch_loss=tensor({}, device='cuda:0') eval_ppl=tensor(8.1,"
            " device='cuda:0') eval_epoch_loss=tensor({}, device='cuda:0')",
            (0, 2.5, 2.125),
            (1, 2.25, 2.0),
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "mlx": Sample(
        "Iter 1: Val loss 2.125, Val took 4.567s\n"
        + _lines(
            "Iter {}: Train loss {}, Learning Rate 1.000e-05, It/sec 0.500, Tokens/sec 300.1, Trained Tokens 5000, Peak mem 10.1 GB",
            *THREE,
        )
        + "Iter 30: Saved adapter weights to adapters/adapters.safetensors and adapters/0000030_adapters.safetensors.\n",
        THREE,
        [(1, 2.125)],
    ),
    "litgpt": Sample(
        _lines(
            "Epoch 1 | iter {} step 1 | loss train: {}, val: {} | iter time: 234.50 ms (step) remaining time: 0:10:00",
            (1, 2.5, "n/a"),
            (2, 2.25, "2.125"),
            (3, 2.0, "2.125"),
        ),
        FIRST,
        [(2, 2.125)],
    ),
    "lit-gpt, older": Sample(
        _lines("iter {} step {}: loss {}, iter time: 123.45ms (optimizer.step)", (1, 1, 2.5), (2, 2, 2.25), (3, 3, 2.0))
        + "step 3: val loss 2.1250, val time: 1234.50ms\n",
        FIRST,
        [(3, 2.125)],
    ),
    "openrlhf": Sample(
        "".join(
            f"\rTrain epoch:   0%|          | 0/1 [00:00<?, ?it/s]\rTrain step of epoch 0:  {step}%|█| {step}/100 [00:10<01:30,"
            f"  1.00s/it, gpt_loss={loss}, loss_mean=2.4, lr=1e-5]"
            for step, loss in THREE
        ),
        THREE,
    ),
    "kohya": Sample(
        "".join(
            f"\rsteps:   1%|          | {step}/1000 [00:10<10:00,  1.20s/it, avr_loss={loss}]" for step, loss in THREE
        ),
        THREE,
    ),
    "diffusers": Sample(
        "".join(
            f"\rSteps:   1%|          | {step}/1000 [00:10<10:00,  1.20it/s, lr=1e-5, step_loss={loss}]"
            for step, loss in THREE
        ),
        THREE,
    ),
    "pytorch's first example": Sample(
        _lines("Train Epoch: {} [{}/60000 (1%)]\tLoss: {:.6f}", (1, 640, 2.5), (1, 1280, 2.25))
        + "\nTest set: Average loss: 2.1250, Accuracy: 9407/10000 (94%)\n\n"
        "Train Epoch: 2 [640/60000 (1%)]\tLoss: 2.000000\n",
        [(640, 2.5), (1280, 2.25), (60640, 2.0)],
        [(1280, 2.125)],
    ),
    "pytorch's imagenet": Sample(
        _lines(
            "Epoch: [0][{:5}/5005]\tTime  0.512 ( 1.201)\tData  0.10 ( 0.20)\tLoss {:.4e} (2.6000e+00)\tAcc@1   0.00 (  0.10)",
            *THREE,
        )
        + _lines(
            "Test: [{:3}/196]\tTime  0.512 ( 1.201)\tLoss 9.5e+00 ({})\tAcc@1  9.00 ( 9.10)", (10, 2.25), (195, 2.125)
        )
        + "Epoch: [1][    1/5005]\tTime  0.512 ( 1.201)\tLoss 1.7500e+00 (1.7500e+00)\n",
        [*THREE, (5006, 1.75)],
        [(30, 2.125)],
    ),
    "timm": Sample(
        _lines(
            "Train: 0 [{:4}/1251 (  4%)]  Loss: {} (2.60)  Time: 1.512s,  600.12/s  (1.5s, 600/s)  LR: 1.000e-06  Data: 0.1 (0.1)",
            *THREE,
        ),
        THREE,
    ),
    "detr and its kin": Sample(
        _lines(
            "Epoch: [0]  [{:5}/1000]  eta: 0:10:00  lr: 0.000100  loss: {} (2.6000)  time: 0.5123  data: 0.0010  max mem: 5000",
            *THREE,
        )
        + "Epoch: [0] Total time: 0:10:00 (0.5123 s / it)\nAveraged stats: lr: 0.000100  loss: 2.2000 (2.3000)\n"
        "Test:  [ 0/50]  eta: 0:00:10  loss: 2.5000 (2.5000)  time: 0.1\n"
        "Test:  [49/50]  eta: 0:00:00  loss: 2.0000 (2.1250)  time: 0.1\nTest: Total time: 0:00:10 (0.1 s / it)\n",
        THREE,
        [(30, 2.125)],
    ),
    "word language model": Sample(
        _lines(
            "| epoch   1 | {:5}/ 2983 batches | lr 20.00 | ms/batch 10.01 | loss {:5.2f} | ppl  2000.00",
            (200, 2.5),
            (400, 2.25),
        )
        + "-----\n| end of epoch   1 | time: 30.00s | valid loss  2.12 | valid ppl   8.33\n-----\n",
        [(200, 2.5), (400, 2.25)],
        [(400, 2.12)],
    ),
    "bert tutorial": Sample(
        "".join(
            f"======== Epoch {epoch} / 4 ========\nTraining...\n  Batch    40  of    241.    Elapsed: 0:00:08.\n\n  Average training"
            f" loss: {loss}\n  Training epcoh took: 0:00:53\n\nRunning Validation...\n  Accuracy: 0.79\n  Validation Loss: {val}\n"
            "  Validation took: 0:00:02\n"
            for epoch, loss, val in ((1, 2.5, 2.125), (2, 2.25, 2.0))
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "an epoch over three lines": Sample(
        _lines(
            "Epoch: {:02} | Time: 0m 10s\n\tTrain Loss: {} | Train PPL:   9.1\n\t Val. Loss: {} |  Val. PPL:   8.4",
            (1, 2.5, 2.125),
            (2, 2.25, 2.0),
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "epochs in one line": Sample(
        _lines("Epoch [{}/10], Train Loss: {}, Val Loss: {}, Val Acc: 91.25%", (1, 2.5, 2.125), (2, 2.25, 2.0)),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "phases with losses of one name": Sample(
        _lines(
            "Epoch {} | train: loss 2.5 acc 0.90 | val: loss {} acc 0.80",
            (1, 2.125),
            (2, 2.0),
        ),
        [(1, 2.5), (2, 2.5)],
        [(1, 2.125), (2, 2.0)],
    ),
    "epoch and step with their totals": Sample(
        _lines("Epoch [{}/5], Step [{}/600], Loss: {}", (1, 300, 2.5), (1, 600, 2.25), (2, 300, 2.0)),
        [(300, 2.5), (600, 2.25), (900, 2.0)],
    ),
    "steps that go on over the epochs": Sample(
        _lines("Epoch {}/3, Step {}/1000, Loss: {}", (1, 300, 2.5), (1, 330, 2.25), (2, 340, 2.0)),
        [(300, 2.5), (330, 2.25), (340, 2.0)],
    ),
    "tensorflow's estimator": Sample(
        _lines("INFO:tensorflow:loss = {1}, step = {0} (1.234 sec)", *THREE) + "INFO:tensorflow:global_step/sec: 10.1\n"
        "INFO:tensorflow:Saving dict for global step 30: accuracy = 0.9, global_step = 30, loss = 2.125\n",
        THREE,
        [(30, 2.125)],
    ),
    "a step and a colon": Sample(_lines("{}: loss {:.3f}", *THREE), THREE),
    "xgboost": Sample(
        "".join(f"[{step}]\ttrain-rmse:{loss:.5f}\teval-rmse:{loss + 0.5:.5f}\n" for step, loss in THREE),
        THREE,
        [(step, loss + 0.5) for step, loss in THREE],
    ),
    "tensorflow's tutorial": Sample(_lines("Epoch 1 Batch {} Loss {:.4f}", *THREE), THREE),
    "maxtext": Sample(
        _lines(
            "completed step: {}, seconds: 1.234, TFLOP/s/device: 100.123, Tokens/s/device: 1000.1, total_weights: 65536, loss: {}",
            *THREE,
        )
        + "eval metrics after step: 30, loss=2.125, total_weights=65536.0\n",
        THREE,
        [(30, 2.125)],
    ),
    "internevo": Sample(
        _lines(
            "2023-09-01 00:00:00,000\tINFO train.py:323 in record_current_batch_training_metrics -- tflops=50.1,step={},loss={},tgs"
            " (tokens/gpu/second)=4000.5,lr=1.0e-06,loss_scale=65536.0,grad_norm={{'0_default': 12.5}},micro_num=4",
            *THREE,
        ),
        THREE,
    ),
    "paddlenlp": Sample(
        _lines(
            "\x1b[32m[2024-01-01 00:00:00,000] [    INFO]\x1b[0m - loss: {1}, learning_rate: 3e-05, global_step: {0}, interval_runtime:"
            " 1.2, interval_samples_per_second: 13.1, progress_or_epoch: 0.1",
            *THREE,
        ),
        THREE,
    ),
    "paddle": Sample(
        _lines("global step {}, epoch: 1, batch: 9, loss: {}, accu: 0.5, speed: 2.01 step/s", *THREE)
        + "eval loss: 2.12500, accu: 0.81\n",
        THREE,
        [(30, 2.125)],
    ),
    "detectron": Sample(
        _lines(
            "\x1b[32m[01/01 00:00:00 d2.utils.events]: \x1b[0m eta: 0:10:00  iter: {}  total_loss: {}  loss_cls: 0.5  loss_box_reg: 0.2"
            "  time: 0.3123  data_time: 0.0101  lr: 0.0001  max_mem: 3000M",
            *THREE,
        ),
        THREE,
    ),
    "flair": Sample(
        _lines(
            "2023-01-01 00:00:00,000 epoch 1 - iter {}/100 - loss {} - time (sec): 1.01 - samples/sec: 50.12 - lr: 0.100000",
            *THREE,
        )
        + "2023-01-01 00:00:01,000 EPOCH 1 done: loss 2.2 - lr 0.100000\n"
        "2023-01-01 00:00:02,000 DEV : loss 2.125 - f1-score (micro avg)  0.5\n",
        THREE,
        [(30, 2.125)],
    ),
    "composer": Sample(
        "".join(
            f"[batch={step}/4800]:\n\t Train time/batch: {step}\n\t Train time/epoch: 0\n\t Train loss/train/total: {loss}\n"
            f"\t Train metrics/train/LanguageCrossEntropy: {loss}\n\t Train lr-DecoupledAdamW/group0: 0.0001\n"
            for step, loss in THREE
        ),
        THREE,
    ),
    "olmo": Sample(
        "".join(
            f"2024-01-01 00:00:00.000\thost:0\tolmo.train:900\tINFO\t[step={step}/1000]\n    optim/total_grad_norm=1.2\n"
            f"    train/CrossEntropyLoss={loss}\n    train/Perplexity=9.1\n    throughput/total_tokens=4,194,304\n"
            for step, loss in THREE
        ),
        THREE,
    ),
    "deepspeed-chat with a loss": Sample(
        _lines(
            "Epoch: 0, Step: {}, Rank: 0, loss = {}\nEpoch: 0, Step: {}, Rank: 1, loss = 9.5",
            *((step, loss, step) for step, loss in THREE),
        ),
        THREE,
    ),
    "ranks that interleave": Sample(
        _lines(
            "[rank0]: step {} loss 2.5 lr 1e-4\n[rank1]: step {} loss 9.5 lr 1e-4\n1: step {} loss 9.5 lr 1e-4",
            *((s,) * 3 for s in (1, 2)),
        ),
        [(1, 2.5), (2, 2.5)],
    ),
    "ranks without a name": Sample(
        _lines("step {} loss {} lr 1e-4", (1, 2.5), (1, 2.6), (2, 2.25), (2, 2.3)), [(1, 2.5), (2, 2.25)]
    ),
    "losses alone": Sample(_lines("Loss: {}", (2.5,), (2.25,), (2.0,)), FIRST),
    "a divergence": Sample(
        _lines("step: {} | loss: {} | grad_norm: nan", (1, 2.5), (2, 9.5), (3, "nan"), (4, "inf")),
        [(1, 2.5), (2, 9.5), (3, None), (4, None)],  # type: ignore[list-item]
    ),
    "speechbrain": Sample(
        _lines(
            "epoch: {}, lr: 1.00e+00 - train loss: {} - valid loss: {}, valid CER: 30.12",
            (1, 2.5, 2.125),
            (2, 2.25, 2.0),
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "espnet": Sample(
        _lines(
            "[host] 2021-01-01 00:00:00,000 (trainer:280) INFO: {}epoch results: [train] iter_time=0.1, forward_time=0.2, loss={},"
            " optim0_lr0=1e-04, train_time=1.0, time=1 minute and 1.5 seconds, total_count=10, [valid] loss={}, cer=0.1",
            (1, 2.5, 2.125),
            (2, 2.25, 2.0),
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "megatron's two sets": Sample(
        _lines(" iteration {}/ 1000 | consumed samples: 1 | lm loss: {} | grad norm: 1 |", *THREE)
        + " validation loss at iteration 30 on validation set | lm loss value: 2.125 | lm loss PPL: 8 |\n"
        " validation loss at iteration 30 on test set | lm loss value: 9.5 | lm loss PPL: 8 |\n",
        THREE,
        [(30, 2.125)],
    ),
    "llm.c's own log": Sample(
        "s:0 tel:11.0\n" + _lines("s:{} trl:{} lr:0.001000 norm:1.10", *THREE) + "s:30 tel:2.125\n",
        THREE,
        [(0, 11.0), (30, 2.125)],
    ),
    "nanogpt's own log": Sample(
        "0 val 10.5\n0 hella 0.24\n" + _lines("{} train {}", *THREE) + "30 val 2.125\n", THREE, [(0, 10.5), (30, 2.125)]
    ),
    "bits per byte": Sample(
        _lines("step {:05}/00700 (1.43%) | loss: {} | lrm: 1.00 | dt: 500.1ms", *THREE)
        + "Step 00030 | Validation bpb: 1.125\n",
        THREE,
        [(30, 1.125)],
    ),
    "evals alone": Sample(_lines("step {} | val loss {}", *THREE), [], THREE),
    "steps and the mean of their epoch": Sample(
        _lines("Epoch 1 Step {} Loss {}", *THREE)
        + "Epoch 1 average loss: 2.4, val loss: 2.125\nEpoch 2 Step 10 Loss 1.75\n",
        [*THREE, (40, 1.75)],
        [(30, 2.125)],
    ),
    "llama-recipes": Sample(
        "".join(
            f"\rTraining Epoch: 1/3, step {step}/388 completed (loss: {loss}):  10%|█         | {step}/388 [00:10<01:30,  1.0s/it]"
            for step, loss in THREE
        )
        + "\nevaluating Epoch: 100%|██| 10/10 [00:10<00:00]\n eval_ppl=tensor(8.1, device='cuda:0') eval_epoch_loss=tensor(2.125,"
        " device='cuda:0')\nbest eval loss on epoch 1 is 2.125\nEpoch 1: train_perplexity=9.1, train_epoch_loss=2.3, epoch time 100.5s\n",
        THREE,
        [(30, 2.125)],
    ),
    "flax": Sample(
        _lines("Step... ({} / 1000 | Loss: {}, Learning Rate: 1e-4)", *THREE)
        + "Step... (30 / 1000 | Eval Loss: 2.125 | Eval wer: 10.5 |)\n",
        THREE,
        [(30, 2.125)],
    ),
    "a heading with the step": Sample(_lines("===== step {} =====\nloss: {}\nlr: 1e-4", *THREE), THREE),
    "accuracies beside a loss": Sample(
        _lines("Epoch: {:03d}, Loss: {:.4f}, Train: 0.5, Val: 0.4, Test: 0.3", *FIRST), FIRST
    ),
    "a loss that is not finite, in words": Sample(
        _lines("step {}: loss {}, lr 1e-4", (1, 2.5), (2, "nan")),
        [(1, 2.5), (2, None)],  # type: ignore[list-item]
    ),
    "two trainings, one after the other": Sample(
        _lines("step:{}/3 train_loss:{} train_time:200ms", *FIRST, *FIRST), [*FIRST, *FIRST]
    ),
    "pytorch's quickstart": Sample(
        "Epoch 1\n-------------------------------\nloss: 2.5  [   64/60000]\nloss: 2.25  [ 6464/60000]\nTest Error: \n Accuracy: 53.8%,"
        " Avg loss: 2.125000 \n\nEpoch 2\n-------------------------------\nloss: 2.0  [   64/60000]\n",
        [(64, 2.5), (6464, 2.25), (60064, 2.0)],
        [(6464, 2.125)],
    ),
    "pytorch's transfer learning": Sample(
        _lines(
            "Epoch {}/24\n----------\ntrain Loss: {:.4f} Acc: 0.5000\nval Loss: {:.4f} Acc: 0.6000\n",
            (0, 2.5, 2.125),
            (1, 2.25, 2.0),
        )
        + "Training complete in 1m 10s\nBest val Acc: 0.600000\n",
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "pytorch's classifier": Sample(
        _lines("[{}, {:5d}] loss: {:.3f}", (1, 2000, 2.5), (1, 4000, 2.25), (2, 2000, 2.0)),
        [(2000, 2.5), (4000, 2.25), (6000, 2.0)],
    ),
    "swin": Sample(
        _lines(
            "[2024-01-01 00:00:00 swin] (main.py 200): INFO Train: [{}/300][{}/100]\teta 0:10:00 lr 0.000100\t wd 0.05\ttime 0.5 (0.6)"
            "\tloss {} (2.6)\tgrad_norm 1.2 (1.3)\tloss_scale 65536.0\tmem 1000MB",
            (0, 50, 2.5),
            (1, 0, 2.25),
            (1, 50, 2.0),
        ),
        [(50, 2.5), (100, 2.25), (150, 2.0)],
    ),
    "mindformers": Sample(
        _lines(
            "2024-01-01 00:00:00,000 - mindformers[mindformers/core/callback.py:300] - INFO - {{ Epoch:[  1/  2], step:[{:5}/  512],"
            " loss:[{}/2.6], per_step_time:300ms, lr:1e-05, overflow cond: False, loss_scale: 65536.0",
            *THREE,
        ),
        THREE,
    ),
    "jax's metric writer": Sample(
        _lines(
            "I0101 00:00:00.000000 140 logging_writer.py:48] [{}] learning_rate=0.001, train_loss={}, steps_per_second=10.5",
            *THREE,
        ),
        THREE,
    ),
    "lightning's rich bar": Sample(
        _lines(
            "Epoch 0/9 ━━━━━━━━╸━━━━━━━ {}/100 0:00:10 • 0:00:00 10.5it/s v_num: 0 train_loss: {} val_loss: 2.1", *THREE
        ),
        THREE,
        [(10, 2.1)],
    ),
    "opennmt": Sample(
        _lines(
            "[2021-01-01 00:00:00,000 INFO] Step {}/100000; acc:  10.1; ppl: 900.1; xent: {}; lr: 0.0001; 1000/1000 tok/s;    100 sec",
            *THREE,
        ),
        THREE,
    ),
    "a bar without a total": Sample(
        "".join(f"\r{step}it [00:10,  1.10it/s, loss={loss}]" for step, loss in THREE), THREE
    ),
    "a bar with the loss before it": Sample(
        "".join(f"\rEpoch 1 loss {loss}:  10%|#| {step}/100 [00:01<00:09, 1it/s]" for step, loss in THREE), THREE
    ),
    "bars of an evaluation": Sample(
        "".join(f"\rTraining: 10%|█| {step}/100 [00:01<00:09, 1it/s, loss={loss}]" for step, loss in THREE)
        + "".join(
            f"\rEvaluating: 10%|█| {step}/10 [00:01<00:09, 1it/s, loss={loss}]"
            for step, loss in ((1, 2.9), (10, 2.125))
        ),
        THREE,
        [(30, 2.125)],
    ),
    "a table of two phases": Sample(
        _lines(
            "Train - Epoch {0}: loss {1}, acc 0.5\nVal   - Epoch {0}: loss {2}, acc 0.5",
            (1, 2.5, 2.125),
            (2, 2.25, 2.0),
        ),
        [(1, 2.5), (2, 2.25)],
        [(1, 2.125), (2, 2.0)],
    ),
    "darknet": Sample(
        _lines(" {}: {}, 2.4 avg loss, 0.001000 rate, 3.12 seconds, 640 images, 10.1 hours left", *THREE), THREE
    ),
    "espnet, batches named": Sample(
        _lines(
            "[host] 2025-01-01 00:00:00,000 (trainer:756) INFO: {}epoch:train:{}-{}batch: iter_time=0.1, loss_ctc=3.0, loss={},"
            " grad_norm=0.5, clip=100.0, optim0_lr0=1.000e-04, train_time=1.2",
            (1, 1, 10, 2.5),
            (1, 11, 20, 2.25),
        )
        + "[host] 2025-01-01 00:01:00,000 (trainer:354) INFO: 1epoch results: [train] loss_ctc=3.0, loss=2.4, time=2 minutes,"
        " [valid] loss_ctc=3.1, cer=0.2, loss=2.125, time=10.2 seconds, total_count=12\n"
        + "[host] 2025-01-01 00:02:00,000 (trainer:756) INFO: 2epoch:train:1-10batch: iter_time=0.1, loss=2.0, grad_norm=0.5\n",
        THREE,
        [(20, 2.125)],
    ),
    "icefall, batches counted from 0": Sample(
        _lines(
            "2025-01-01 00:00:00,000 INFO [train.py:901] (0/4) Epoch {}, batch {}, loss[loss={}, simple_loss=2.6, over 6789.00"
            " frames. ], tot_loss[loss=2.4, over 1326.42 frames. ], batch size: 24, lr: 1.00e-03",
            (1, 0, 2.5),
            (1, 10, 2.25),
            (2, 0, 2.0),
            (2, 10, 1.75),
            (3, 0, 1.5),
        ),
        [(0, 2.5), (10, 2.25), (20, 2.0), (30, 1.75), (40, 1.5)],
    ),
    "composer, with an eval": Sample(
        _lines(
            "[batch={}/30]:\n\t Train time/batch: 9\n\t Train loss/train/total: {}\n\t Train lr-DecoupledAdamW/group0: 0.0001",
            *THREE,
        )
        + "[eval batch=4/4] Eval on eval data:\n\t Eval metrics/eval/LanguageCrossEntropy: 2.125\n",
        THREE,
        [(30, 2.125)],
    ),
    "trlx": Sample(
        "".join(
            f"\r[losses/total_loss: {loss} | losses/policy_loss: 1.5]: 10%|█ | {step}/400 [01:00<02:00,  1.20it/s]"
            for step, loss in THREE
        )
        + "\n",
        THREE,
    ),
    "decimal commas": Sample(
        "".join(f"step {step}: loss {loss:.3f}; lr 0,0001\n".replace(".", ",") for step, loss in THREE)
        + "step 30: val loss 2,125\n",
        THREE,
        [(30, 2.125)],
    ),
    "German, in many words": Sample(
        _lines("Epoche {}: Verlust für Training = {}, Verlust für Validierung = 2.125", *FIRST),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "ordered dicts": Sample(
        "".join(
            f"{step} OrderedDict([('step', {step}), ('loss', np.float64({loss})), ('acc', 0.5)])\n"
            for step, loss in THREE
        ),
        THREE,
    ),
    "objects that print themselves": Sample(
        _lines("INFO:train:TrainMetrics(step={}, loss={}, lr=0.0001)", *THREE)
        + "EvalMetrics(step=30, eval_loss=2.125)\n",
        THREE,
        [(30, 2.125)],
    ),
    "dicts glued to bars, and the evals in lines": Sample(
        "".join(
            f"\rTrain:  10%|█ | 1/60 [00:01<00:09, 1it/s]{{'step': {step}, 'loss': {loss}}}\neval loss {loss} at step {step}\n"
            for step, loss in THREE
        ),
        THREE,
        THREE,
    ),
    "wenet": Sample(
        "".join(
            f"2025-01-01 00:00:00,000 DEBUG TRAIN Batch {epoch}/{batch} loss {loss} loss_att 2.0 lr 0.00010000 rank 0\n"
            for epoch, batch, loss in ((0, 0, 2.5), (0, 10, 2.25), (1, 0, 2.0))
        )
        + "2025-01-01 00:00:00,000 DEBUG CV Batch 1/0 loss 9.5 loss_att 2.0 history loss 9.0 rank 0\n"
        "2025-01-01 00:00:00,000 INFO Epoch 1 CV info cv_loss 2.125\n",
        [(0, 2.5), (10, 2.25), (20, 2.0)],
        [(20, 2.125)],
    ),
    "tacotron2": Sample(
        _lines("Train loss {} {:.6f} Grad Norm 0.500000 1.21s/it", *THREE) + "Validation loss 30:  2.125000  \n",
        THREE,
        [(30, 2.125)],
    ),
    "a dash between equal signs": Sample(
        _lines("step = {} - loss = {} - acc = 0.5", *THREE) + "step = 30 - val_loss = 2.125 - tok/s = 12\n",
        THREE,
        [(30, 2.125)],
    ),
    "quoted": Sample(_lines("> step {} loss: {}", *THREE), THREE),
    "a list of points": Sample(_lines("- step: {}, loss: {}, lr: 0.1", *THREE), THREE),
    "its": Sample(_lines("it {}: loss={}, lr=0.1", *THREE) + "EVAL it 30 | loss: 2.125\n", THREE, [(30, 2.125)]),
    "steps in brackets": Sample(
        _lines("[{}], loss: {}, epoch_time: 1.2", *THREE) + "Val: [30] | loss: 2.125 | acc: 0.5\n", THREE, [(30, 2.125)]
    ),
    "a step and its time": Sample(_lines("[{} | 12.25] loss={} avg=2.5", *THREE), THREE),
    "units between figures": Sample(
        _lines("step {} mem 12.5 GB loss {} 12.5 it/s lr 0.1", *THREE) + "step 30 speed 12.5 it/s val_loss 2.125\n",
        THREE,
        [(30, 2.125)],
    ),
    "a best eval that is told again": Sample(
        "".join(
            f"Epoch {at}: loss {loss} val_loss 2.125\nNew best model saved (val_loss 2.125)\n" for at, loss in FIRST
        ),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "hydra": Sample(
        "".join(
            f"[2025-01-01 00:00:00,000][train][INFO] - Epoch {at}\n[2025-01-01 00:00:00,000][train][INFO] -   loss: {loss}\n"
            f"[2025-01-01 00:00:00,000][train][INFO] -   eval_loss: 2.125\n"
            for at, loss in FIRST
        ),
        FIRST,
        [(1, 2.125), (2, 2.125), (3, 2.125)],
    ),
    "a logger that is called train, and headings": Sample(
        "".join(
            f"01/02/2025 00:00:00 - INFO - train - step {step}, loss: {loss}\n01/02/2025 00:00:00 - INFO - train - Validating\n"
            f"01/02/2025 00:00:00 - INFO - train - loss: 2.125, acc: 0.5\n"
            for step, loss in THREE
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "absl": Sample(
        "".join(
            f"I0101 00:00:00.123456 1234 train.py:88] Epoch {at}\nI0101 00:00:00.123456 1234 train.py:88]   loss: {loss}\n"
            for at, loss in FIRST
        ),
        FIRST,
    ),
    "perplexities of both": Sample(
        _lines("epoch {} | train ppl 1.000 | valid ppl 1.000", (1,), (2,), (3,)),
        [(1, 0.0), (2, 0.0), (3, 0.0)],
        [(1, 0.0), (2, 0.0), (3, 0.0)],
    ),
    "blocks in lines of Windows": Sample(
        "".join(f"[step {step}]\r\n  loss = {loss}\r\n  lr = 0.001\r\n" for step, loss in THREE), THREE
    ),
    "blocks with warnings in them": Sample(
        "".join(
            f"[step={step}/30]\n    train/Loss={loss}\nUserWarning: odd\n  warnings.warn(\n    eval/Loss={loss}\n"
            for step, loss in THREE
        ),
        THREE,
        THREE,
    ),
    "a rank before the line and in it": Sample(
        _lines("[rank0]: Epoch: 0, Step: {}, Rank: 0, loss = {}", *THREE)
        + "[rank0]: ***** Evaluating perplexity, Epoch 1/4 *****\n[rank0]: ppl: 8.372897, loss: 2.125\n",
        THREE,
        [(30, 2.125)],
    ),
    "a container's time before the program's": Sample(
        _lines("2025-01-01T00:00:00.123456789Z stdout F 2025-01-01 00:00:00 - INFO - step {} loss {}", *THREE), THREE
    ),
    "headings below a step": Sample(
        "".join(
            f"========== Step {step}/30 ==========\nPreparing batch...\nTraining results:\n  • Loss: {loss}\n"
            for step, loss in THREE
        ),
        THREE,
    ),
    "what a tracker says at the end": Sample(
        _lines("step {} train_loss {}", *THREE)
        + "step 30 va_loss 2.125\nwandb: Run summary:\nwandb:  eval/loss 2.125\nwandb: train/loss 2.0\n",
        THREE,
        [(30, 2.125)],
    ),
    "a loss and its parts": Sample(_lines("step {0} total_loss={1} ce_loss=1.5 kd_loss=0.5", *THREE), THREE),
    "batches that begin anew without a word of epochs": Sample(
        "".join(f"  batch {batch} loss: {loss}\n" for batch, loss in ((10, 2.5), (20, 2.25)))
        + "LOSS train 2.375 valid 2.25\n  batch 10 loss: 2.0\n  batch 20 loss: 1.75\nLOSS train 1.875 valid 2.125\n",
        [(10, 2.5), (20, 2.25), (30, 2.0), (40, 1.75)],
        [(20, 2.25), (40, 2.125)],
    ),
    "number signs": Sample(
        _lines("Step #{} - loss: {}", *THREE) + "Step #30 - eval loss: 2.125\n", THREE, [(30, 2.125)]
    ),
    "a step and a colon before an eval": Sample(
        _lines("{}: loss: {}", *THREE) + "30: valid loss: 2.125\n", THREE, [(30, 2.125)]
    ),
    "parts of epochs beside steps": Sample(
        _lines("epoch 1.{} ({}/200 steps): loss={}", *((at, step, loss) for at, (step, loss) in enumerate(THREE))),
        THREE,
    ),
    "batches of an eval, and their mean": Sample(
        "".join(
            f"[Train][Epoch {at}/3][Iter: 0/10]lr(Cosine): 0.1, CELoss: 1.5, loss: {loss}\n[Eval][Epoch {at}][Iter: 0/5]loss: 9.5\n"
            f"[Eval][Epoch {at}][Avg]loss: 2.125, top1: 0.5\n"
            for at, loss in FIRST
        ),
        [(0, 2.5), (10, 2.25), (20, 2.0)],
        [(0, 2.125), (10, 2.125), (20, 2.125)],
    ),
    "a target of a speed": Sample(
        _lines("INFO:tensorflow:Step = {} ; tokens/s = 12 (12 target) ; Learning rate = 0.1 ; Loss = {}", *THREE), THREE
    ),
    "as many steps in every epoch": Sample(
        _lines("Epoch: {}, Steps: 10 | Train Loss: {} Vali Loss: 2.125 Test Loss: 2.5", *FIRST),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "a logger that is called eval": Sample(
        _lines("INFO:train:step {0} loss {1}\nINFO:eval:step {0} loss 2.125", *THREE),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "a step told again in the next epoch": Sample(
        "epoch 1 step 10 loss 2.5\nepoch 1 step 20 loss 2.25\nepoch 2 step 20 loss 2.25\nepoch 2 step 30 loss 2.0\n",
        THREE,
    ),
    "a step at the end of a part of an epoch": Sample(
        "epoch 0.5 step 10 loss 2.5\nepoch 1.0 step 10 loss 2.5\nepoch 1.5 step 20 loss 2.25\nepoch 2.0 step 30 loss 2.0\n",
        THREE,
    ),
    "DeepSpeed's steps between those of DeepSpeed-Chat": Sample(
        _lines(
            "Epoch: {}, Step: {}, Rank: 0, loss = {}\n[timer.py:199:stop] epoch=0/micro_step=1/global_step={}, MemAllocated=4.3GB,"
            " RunningAvgSamplesPerSec=7.1, CurrSamplesPerSec=7.2",
            *((0, 0, 2.5, 0), (0, 10, 2.25, 5), (0, 20, 2.0, 10), (1, 0, 1.75, 15), (1, 10, 1.5, 20)),
        ),
        [(0, 2.5), (10, 2.25), (20, 2.0), (30, 1.75), (40, 1.5)],
    ),
    "CatBoost": Sample(
        _lines("{0}:\tlearn: {1}\ttest: 2.125\tbest: 2.125 ({0})\ttotal: 1m 2s\tremaining: 3s", *THREE),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "CatBoost without a test": Sample(_lines("{}:\tlearn: {}\ttotal: 714us\tremaining: 3s", *THREE), THREE),
    "collections of CLU": Sample(
        _lines(
            "I0501 10:00:00.123456 140123 logging_writer.py:48] [{0}] collection=train loss={1}, timing/seconds=0.5\n"
            "I0501 10:00:00.123456 140123 logging_writer.py:48] [{0}] collection=training_eval/c4 loss=2.125, accuracy=0.5",
            *THREE,
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "headings of both parts of an epoch": Sample(
        "".join(
            f"Epoch {epoch} training\n  step 10 loss {loss}\nEpoch {epoch} validation\n  step 10 loss 9.5\n  step 20 loss 2.125\n"
            for epoch, loss in FIRST
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "an eval of more steps than were told of the training": Sample(
        "".join(
            f"Epoch {epoch} training\nstep 10 loss {loss}\nEpoch {epoch} validation\nstep 50 loss 9.5\nstep 100 loss 2.125\n"
            for epoch, loss in FIRST
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "steps that go on below the heading of an eval": Sample(
        "".join(
            f"Epoch {epoch} - training\nstep {20 * epoch - 10} loss {loss}\nEpoch {epoch} - validation\nval_loss 2.125\n"
            f"step {20 * epoch} loss {loss - 0.125}\n"
            for epoch, loss in FIRST
        ),
        [(10, 2.5), (20, 2.375), (30, 2.25), (40, 2.125), (50, 2.0), (60, 1.875)],
        [(10, 2.125), (30, 2.125), (50, 2.125)],
    ),
    "a heading of the training before the first epoch alone": Sample(
        "Start training from epoch 0\n"
        + _lines(
            "step {1} loss {2}\nEvaluating after epoch {0}\nval loss 2.125",
            *((at, *one) for at, one in enumerate(THREE)),
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "headings of an eval's part alone": Sample(
        _lines("Epoch {} validation done\nstep {} loss {}", *((at, *each) for at, each in enumerate(THREE))), THREE
    ),
    "bars below headings of the training and of an eval": Sample(
        "".join(
            f"Epoch {epoch}/3\nTraining\nloss: {loss} ||: 100%|##| 10/10 [00:10<00:00, 9.1it/s]\nValidating\n"
            "\rloss: 9.5 ||: 50%|# | 2/4 [00:01<00:01, 9.1it/s]\rloss: 2.125 ||: 100%|##| 4/4 [00:02<00:00, 9.1it/s]\n"
            for epoch, loss in FIRST
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "bars below headings of an eval that are the training's": Sample(
        _lines("Validating\nloss: {1}: 100%|##| {0}/30 [00:10<00:00, 9.1it/s]", *THREE), THREE
    ),
    "YOLO's bars, the sum of their parts": Sample(
        "      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size\n"
        + _lines(
            "\r        {0}/3      3.29G       9.5      9.5        232        640:  50%|#| 4/8 [00:02<00:00, 3.01it/s]"
            "\r        {0}/3      3.29G     {1}      0.5        232        640: 100%|##| 8/8 [00:02<00:00, 3.01it/s]"
            * 2
            + "\n                 Class     Images  Instances      P      R   mAP50: 100%|##| 4/4 [00:01<00:00]\n"
            "                   all        128        929  0.712   0.61   0.705",
            *((epoch, loss - 0.5) for epoch, loss in FIRST),
        ),
        FIRST,
    ),
    "YOLO's bars with a total": Sample(
        "     Epoch   gpu_mem       box       obj     total    labels  img_size\n"
        + _lines(
            "       {}/2       10G       1.5       0.5     {}       120       640: 100%|##| 8/8 [00:02<00:00]", *FIRST
        ),
        FIRST,
    ),
    "steps that are named an epoch's": Sample(
        _lines(
            "Epoch Step: {0:6} | Accumulation Step: 2 | Loss: {1} | Learning Rate: 0.1",
            (1, 2.5),
            (11, 2.25),
            (1, 2.0),
            (11, 1.75),
        ),
        [(1, 2.5), (11, 2.25), (12, 2.0), (22, 1.75)],
    ),
    "MXNet's batches": Sample(
        "".join(
            f"INFO:root:Epoch[{epoch}] Batch [0-10]\tSpeed: 1021.11 samples/sec\taccuracy=0.5\tcross-entropy={loss}\n"
            f"INFO:root:Epoch[{epoch}] Train-cross-entropy=9.5\nINFO:root:Epoch[{epoch}] Validation-cross-entropy=2.125\n"
            for epoch, (_, loss) in enumerate(THREE)
        ),
        THREE,
        [(step, 2.125) for step, _ in THREE],
    ),
    "the newest eval beside every step": Sample(
        "Epoch 1 | iter 1 step 1 | loss train: 2.500, val: n/a | iter time: 312.1 ms\niter 1: val loss 2.1254, val time: 1341.21 ms\n"
        "Epoch 1 | iter 2 step 2 | loss train: 2.250, val: 2.125 | iter time: 312.1 ms\n"
        "Epoch 2 | iter 3 step 3 | loss train: 2.000, val: 2.125 | iter time: 312.1 ms\n",
        FIRST,
        [(1, 2.1254)],
    ),
    "an eval as low as the last": Sample(
        _lines("Epoch {0} step {0} train_loss {1} val_loss 2.125", *FIRST), FIRST, [(step, 2.125) for step, _ in FIRST]
    ),
}

SILENT: Final[dict[str, str]] = {
    "least losses": "epoch 1 min loss 2.5\nepoch 2 min loss 2.25\nepoch 3 min loss 2.25\n",
    "YAML": "train:\n  epochs: 10\n  lr: 1e-4\n  loss: 1.0\n  step: 100\n  loss_weight: 0.5\n  val_loss: 0.1\n" * 2,
    "argparse": "Namespace(batch_size=8, epochs=10, step=5, lr=0.0001, loss=0.5, train_loss=1.0)\n" * 5,
    "source code": "def train():\n    step = 0\n    loss = 0.0\n    train_loss = 0.5\n    for epoch in range(10):\n"
    "        loss = 1.0\n        if step == 100 and loss < 0.5:\n            print(f'step {step} loss {loss}')\n" * 3,
    "a chat": "I ran it and at step 100 loss: 2.3 looked bad\nWhen the loss is 2.3 at step 5 you should stop\n"
    "So at epoch 3, loss 2.0 was the best, but then at step 400 it is loss 3.1 again.\n" * 3,
    "what a run costs": "".join(
        f"step {step} cost {step / 100:.2f} tokens {step * 10}\n" for step in range(10, 400, 10)
    ),
    "a shell": "$ python train.py --lr 1e-4 --step 10 --loss 0.5\n+ accelerate launch train.py loss=0.5 step=10\n" * 4,
    "a README": "# Results\n\n- step: 100\n- loss: 2.5\n\nThe loss was 2.5 after epoch 3.\n" * 3,
    "summaries": "Best epoch: 5, val loss: 0.3\nSaved checkpoint at step 100, loss 0.5\n"
    "TrainOutput(global_step=100, training_loss=0.5, metrics={'epoch': 3})\n" * 3,
    "a download": "Downloading: 100%|██| 12/12 [00:10<00:00, 1.1MB/s]\nstep 1 of 3\nLoaded 5 files in 2 s\n" * 3,
    "scores of CatBoost": "".join(
        f"{at}:\tlearn: 0.{at + 6}\ttest: 0.6\tbest: 0.6 (1)\ttotal: 1s\tremaining: 3s\n" for at in (1, 2, 3)
    ),
    "a git log": "* 1a2b3c4 loss: 2 files, step 10 fixed\n 3 files changed, 10 insertions(+), loss 2 deletions(-)\n"
    * 3,
}
"""Texts with the words of a training in them, and no training."""
