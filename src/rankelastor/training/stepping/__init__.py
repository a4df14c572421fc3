"""One training step: slices on the CPU, a compiled pass and copies beside the work on CUDA."""
