"""What the emulator lacks, added to it at its start, one module per AWS behaviour; and faults, which happen only when a
test orders them. Runs in the emulator's process only."""
