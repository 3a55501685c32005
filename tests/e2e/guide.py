"""A guide of a few pages, set as people set such things: for the screenshots in docs.

Usage: python -m tests.e2e.guide FOLDER
"""

import sys
from pathlib import Path

import pymupdf

WIDTH, HEIGHT, MARGIN = 420, 594, 40  # points; A5
STYLE = """
* {font-family: sans-serif}
h1 {font-size: 25px; margin: 0 0 10px} h2 {font-size: 18px; margin: 16px 0 6px}
p, li {font-size: 13.5px; line-height: 1.4; margin: 0 0 8px}
td, th {font-size: 13px; padding: 4px 9px; border: 1px solid #666; text-align: left}
table {border-collapse: collapse; margin: 4px 0 10px}
"""
PAGES = (
    """<h1>The reading room</h1>
    <p>The reading room is open to everyone who is older than sixteen. You need a card, which
    you get at the desk on the ground floor. It is free, and it is good for two years.</p>
    <h2>Opening hours</h2>
    <table><tr><td>Day</td><td>Opens</td><td>Closes</td></tr>
    <tr><td>Monday</td><td>9:00</td><td>18:00</td></tr>
    <tr><td>Tuesday</td><td>9:00</td><td>20:00</td></tr>
    <tr><td>Friday</td><td>9:00</td><td>18:00</td></tr>
    <tr><td>Saturday</td><td>10:00</td><td>14:00</td></tr></table>
    <p>It is closed on Sundays and on public holidays. In August the room closes at 14:00.</p>
    <h2>At your desk</h2>
    <p>Please leave your coat and your bag at the door. Pencils are welcome, pens are not.
    Water is fine in a bottle that can be closed.</p>""",
    """<h1>Asking for books</h1>
    <p>Books from the stacks are brought to your desk. Write the number of the book on the slip
    and hand it in before noon, and the book is there on the same day.</p>
    <h2>How long it takes</h2>
    <table><tr><td>From</td><td>Minutes</td><td>Slips</td></tr>
    <tr><td>Stacks</td><td>45</td><td>6</td></tr>
    <tr><td>Maps</td><td>90</td><td>3</td></tr>
    <tr><td>Archive</td><td>120</td><td>2</td></tr></table>
    <p>A book stays at your desk for five days. After that it goes back to the stacks, unless
    you tell us that you still need it.</p>
    <h2>What stays in the room</h2>
    <p>Books printed before 1900 are read in the room only. The same holds for maps and for
    everything that comes in a box.</p>""",
    """<h1>Copies</h1>
    <p>You may take pictures with your own camera, without a flash. For a scan ask at the desk.
    We send it to you within three days.</p>
    <h2>What it costs</h2>
    <table><tr><td>Copy</td><td>Price</td></tr>
    <tr><td>Page, grey</td><td>0.20</td></tr>
    <tr><td>Page, colour</td><td>0.60</td></tr>
    <tr><td>Map, large</td><td>4.50</td></tr></table>
    <p>You pay at the desk when you collect them. Students pay half of it.</p>""",
    """<h1>Where to find help</h1>
    <p>Someone is at the desk as long as the room is open. They know the catalogue well, and
    they like to be asked.</p>
    <h2>By phone and by letter</h2>
    <p>Call us in the morning, from 9:00 to 12:00. Letters are answered within a week. Please
    write the number of your card on the first page.</p>
    <h2>When something is missing</h2>
    <p>If a book is not in its place, tell us. We look for it on the same day, and we write to
    you as soon as it is found.</p>""",
)


def write_guide(path: Path) -> None:
    with pymupdf.open() as document:
        for html in PAGES:
            page = document.new_page(width=WIDTH, height=HEIGHT)
            box = pymupdf.Rect(MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN)
            page.insert_htmlbox(box, html, css=STYLE)
        document.save(path, garbage=3, deflate=True)


def main() -> None:
    folder = Path(sys.argv[1])
    write_guide(folder / "reading-room.pdf")
    with pymupdf.open(folder / "reading-room.pdf") as guide:
        guide[0].get_pixmap(dpi=144).save(folder / "reading-room.png")


if __name__ == "__main__":
    main()
