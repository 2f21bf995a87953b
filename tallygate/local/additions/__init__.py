"""What the emulator lacks, added to it at its start, one module per AWS behaviour. Runs in the emulator's process
only."""
