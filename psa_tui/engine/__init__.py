"""The Frustration Engine: Persistent Stochastic Ablation as pure computation.

No screen, no file and no command line is known here. ``meta_loop.run_meta_loops`` yields events; everything else
serves it. The arithmetic itself is a backend's, see ``backend``.
"""
