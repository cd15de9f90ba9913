"""Files, paths, tables and notebooks' kernels: nothing here knows of ore or networks."""
