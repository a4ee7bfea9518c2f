"""Model: base and adapter, attention, fused kernels, loss, and the answers it gives."""
