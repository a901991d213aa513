import io

from psa_tui.method.events import EpochProgressed
from psa_tui.views.plain import PlainView


def test_a_minute_without_a_line_brings_a_sign_of_life_and_no_more_than_one():
    now = [0.0]
    stream = io.StringIO()
    view = PlainView(stream, clock=lambda: now[0])
    for second in range(1, 150):
        now[0] = float(second)
        view.handle(EpochProgressed(meta_loop=7, images=second, image_count=200, loss=0.5, seconds=float(second)))
    assert stream.getvalue() == "loop 7/0  epoch 30 %  loss 0.5000\nloop 7/0  epoch 60 %  loss 0.5000\n"
