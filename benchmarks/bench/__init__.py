"""Parts of the benchmark runner: measuring a command, the tools, what a case says, figures, and their rendering."""
