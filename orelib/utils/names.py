"""Names of files as people and other programs leave them: which are not photographs, which two mean one file, and how
to show a name safely. Needs only Python itself.
"""

from __future__ import annotations

import unicodedata

# Names that file managers, NAS and archives put beside photographs, in lower case. Hidden files are skipped as well.
LEFT_BEHIND = {
    "thumbs.db", "thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini",  # Windows
    "$recycle.bin", "system volume information",
    "icon\r", "icon\uf00d", "__macosx", "network trash folder", "temporary items",  # Mac; the second as shares show it
    "@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb", "~snapshot",  # NAS
    "lost+found",  # Linux
}  # fmt: skip
# Endings of files that they put beside each file, and of the backup copies of editors.
LEFT_BESIDE = (":zone.identifier", "@synoeastream", "@synoresource", "~")

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, direction and other invisible marks, broken UTF-8, line ends

FROM_NAMES = {"file", "image", "stem", "error", "problem", "remark"}  # columns of tables that hold names of files
FORMULA = frozenset("=+-@\t\n")  # a spreadsheet takes a cell that begins so for a formula, or looks behind it


def is_left_behind(name: str) -> bool:
    """Returns whether a file or folder of this name is skipped without a message, because no user put it there.

    These are hidden files and folders, and files and folders that file managers, NAS and archives make.
    """
    low = name.lower()
    return low.startswith((".", "~$")) or low in LEFT_BEHIND or low.endswith(LEFT_BESIDE)


def fits_a_table(name: str) -> bool:
    """Returns whether a table can hold the name: bytes that are not UTF-8 cannot be written, "\\r" not read back."""
    return not any(sign == "\r" or "\ud800" <= sign <= "\udfff" for sign in name)


def composed(name: str) -> str:
    """The one spelling of a name: Macs write accents as characters of their own (NFD), others do not (NFC)."""
    return unicodedata.normalize("NFC", name)


def one_name(name: str) -> str:
    """Returns one form for all names that a Mac or a network share takes for the same, by case and accents."""
    return composed(composed(name).casefold())


def printable(text: str) -> str:
    r"""Returns a text for one line of a terminal: invisible signs, such as ESC or a line end, are written as ``\x1b``.

    Escapes control characters, marks that change the direction of writing, and bytes that are not UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(
        sign.encode("unicode_escape").decode() if unicodedata.category(sign) in UNSEEN else sign for sign in text
    )


def one_line(message: object, length: int = 300) -> str:
    """Returns a message of another library in one line, without control signs of a terminal, cut where it is long."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(message)).split())[:length]


def csv_cell(text: str) -> str:
    """Returns a text for a table: with an apostrophe in front if a spreadsheet would take it for a formula.

    :func:`text_of_cell` gives the text back, except that what does not fit (:func:`fits_a_table`) stays escaped.
    """
    text = text.encode(errors="backslashreplace").decode().replace("\r", "\\r")
    return f"'{text}" if _looks_like_a_formula(text) else text


def text_of_cell(cell: str) -> str:
    """Returns the text from which :func:`csv_cell` made this cell."""
    return cell[1:] if cell[:1] == "'" and _looks_like_a_formula(cell) else cell


def _looks_like_a_formula(text: str) -> bool:
    # Also behind apostrophes of the text itself, so that they can be told from the one that csv_cell adds.
    return text.lstrip("'")[:1] in FORMULA and len(text.lstrip("'")) > 1
