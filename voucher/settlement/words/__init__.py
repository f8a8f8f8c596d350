"""The states and kinds of settlement, and their words in French: pure values, which every room and every page may know."""
