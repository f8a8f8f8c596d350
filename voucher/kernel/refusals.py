"""How the office says no. At the counter a refusal is a value of its own room, because it is recorded."""


class Refused(Exception):
    """A rule said no: nothing was written.

    `code` is stable and for programs; `sentence` is French, for the person, and says what to do next; `field` names the
    form field at which it is shown, or None for the top of the form.
    """

    def __init__(self, code: str, sentence: str, field: str | None = None) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.field = field
