"""The benchmark suite: tasks x shares x seeds, each cell measured once and kept, then rendered."""
