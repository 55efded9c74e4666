"""How the checks start a browser: Debian's Chromium where it is, else another, else the one that Playwright downloads."""
import shutil

NAMES = 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'
ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync']


def launch(playwright):
    "A headless browser that asks nobody for anything."
    return playwright.chromium.launch(executable_path=next(filter(None, map(shutil.which, NAMES)), None), args=ARGS)
