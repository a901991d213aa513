"""The keys of the screen of a run, and what each does; the page that ``?`` shows explains them."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from psa_tui.views.live.run_panels import PICTURES

KEYS: list[BindingType] = [
    Binding("space", "ask('pause')", show=False),
    Binding("s", "ask('stop')", show=False),
    Binding("l", "ask('log')", show=False),
    Binding("q", "leave", show=False),
    Binding("m", "pick_mode", show=False),
    Binding("question_mark,f1", "help", show=False),
    Binding("w", "facts", show=False),
    Binding("up", "scroll_log(-1)", show=False),
    Binding("down", "scroll_log(1)", show=False),
    Binding("pageup", "scroll_log(-10)", show=False),
    Binding("pagedown", "scroll_log(10)", show=False),
    Binding("slash", "filter", show=False),
    Binding("left", "move_cursor(-1)", show=False),
    Binding("right", "move_cursor(1)", show=False),
    Binding("left_square_bracket", "pan(-1)", show=False),
    Binding("right_square_bracket", "pan(1)", show=False),
    Binding("h", "measure", show=False),
    Binding("shift+left", "move_unit(-1, 0)", show=False),
    Binding("shift+right", "move_unit(1, 0)", show=False),
    Binding("shift+up", "move_unit(0, -1)", show=False),
    Binding("shift+down", "move_unit(0, 1)", show=False),
    Binding("plus,equals_sign", "zoom(0.5)", show=False),
    Binding("minus", "zoom(2.0)", show=False),
    Binding("z", "scale", show=False),
    Binding("0,escape", "reset", show=False),
    Binding("less_than_sign", "share('columns', 0.8)", show=False),
    Binding("greater_than_sign", "share('columns', 1.25)", show=False),
    Binding("left_curly_bracket", "share('rows', 0.8)", show=False),
    Binding("right_curly_bracket", "share('rows', 1.25)", show=False),
    *(Binding(str(n), f"show('{name}')", show=False) for n, name in enumerate(PICTURES, start=1)),
]
