"""The engine: metadata first, then one read per file in priority class and physical order, in worker processes.

`plan` says what is read and in which order, `readpass` reads one file once, `host` lets the plugins look at it,
`workers` do so in processes of their own, and `run` drives a whole scan and is the only writer.
"""
