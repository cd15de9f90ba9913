"""Files, paths, tables and notebooks' kernels: nothing here knows of ore or networks.

``allowed``       what settings and parameters may be
``archives``      ZIP files
``checksums``     files that say when they are damaged
``command``       errors of a module that is run as a command
``counting``      medians and percentiles of pixels
``devices``       the processor or a GPU
``execute``       notebooks run headless, and in place as they are committed
``extras``        packages that only some uses need
``files``         files and folders that appear whole or not at all
``headless``      a papermill engine without a TCP port
``inbox``         files that arrive in pieces
``jupyter``       settings and a template that the installation puts where Jupyter looks
``kernel``        its kernel
``memory``        memory that runs out
``names``         names of files as people leave them
``notebooks``     the notebooks that come inside the wheel
``pace``          how long work will still take
``paths``         where the kit lies
``process``       settings of a whole process, for programs
``progress``      what long work says
``provenance``    where a result comes from
``saving``        what a Jupyter server leaves out of a saved notebook (jupyter/: what switches it on)
``shards``        a part of a long list, for one of several processes
``side_by_side``  work on many things, a few at a time
``tables``        CSV files
``watching``      work that is watched, and stopped between two steps
``weights``       files of weights
"""
