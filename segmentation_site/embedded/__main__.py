"""`python -m segmentation_site.embedded start|stop|reset|env`."""

import argparse
import sys

from segmentation_site import embedded


def main() -> int:
    """Keep the servers running, stop them, delete them, or print how to reach them."""
    parser = argparse.ArgumentParser(prog="python -m segmentation_site.embedded", description=main.__doc__)
    parser.add_argument("action", choices=["start", "stop", "reset", "env"])
    action = parser.parse_args().action
    try:
        if action == "reset":
            embedded.reset()
        elif action == "stop":
            embedded.stop()
        else:
            values = embedded.ensure()
            if action == "start":
                embedded.keep()
            sys.stdout.writelines(f"{name}={value}\n" for name, value in values.items())
    except embedded.EmbeddedServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
