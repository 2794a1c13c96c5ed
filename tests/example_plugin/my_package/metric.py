from statistics import fmean

from liftbench.plugin_api import Metric


class LengthMatch(Metric):
    """The shorter of a summary and a reference divided by the longer, in words: in [0, 1]."""

    name = "length-match"
    signature = "length-match|words:split|references:mean|v1"
    direction = "higher"
    sees = "form"

    def __init__(self, request):
        pass

    def score(self, texts, conversations):
        return [
            fmean(match(text, reference) for reference in conversation.references)
            for text, conversation in zip(texts, conversations, strict=True)
        ]


def match(text, reference):
    shorter, longer = sorted((len(text.split()), len(reference.split())))
    return shorter / longer if longer else 0.0
