"""The Frustration Engine: Persistent Stochastic Ablation as pure computation.

No screen, no file and no command line is known here. ``loop.run_meta_loops`` yields events; everything
else serves it.
"""
