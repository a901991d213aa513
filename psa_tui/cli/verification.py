"""``psa device --verify``: whether backends compute on this machine what they should, and a line that says so."""

from __future__ import annotations

from psa_tui.errors import PsaError
from psa_tui.machine.logs import start_logging
from psa_tui.settings import Settings
from psa_tui.views.messages import print_note


def verify_machine(settings: Settings, json: bool) -> None:
    """Check and time every backend that can serve on the device, or the one that was asked for.

    Raises:
        PsaError: one strayed too far, after everything is printed.
    """
    from psa_tui.machine.devices import choose, detect
    from psa_tui.machine.verification import backends_to_check, product_error, verify
    from psa_tui.views.verification_text import Verification, print_check, print_header

    found = detect()
    device = choose(settings.get("device"), found).device
    backends = backends_to_check(settings.get("backend"), device)
    start_logging(None, debug=settings.get("debug"))
    print_note(f"checking {device}: a few seconds for each backend, and some ten for kernels that are compiled once")
    error, checks = product_error(device), []
    if not json:
        print_header(device)
    for check in verify(backends, device, settings.get("threads")):
        checks.append(check)
        if not json:
            print_check(check)
    verification = Verification(found, device, error, checks)
    print(verification.as_json() if json else f"\n{verification.line}")
    if verification.fault:
        raise PsaError(verification.fault)
