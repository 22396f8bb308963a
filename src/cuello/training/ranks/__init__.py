"""One training on several processes, GPUs or machines: what each of them does by itself, and what they do as one."""
