"""Guards on what is compared: is there a number, and is it a gain over the candidate's own base?"""

from __future__ import annotations

from ...statistics.lift import NoLift
from ...text.phrases import join_words, metric_label
from ..evidence import Evidence
from .base import SEEN_HERE, Check

MISREAD = 1 / 3
"""The share of the references' words above which a metric that misreads them proves nothing. It is between Danish
(19%), of which ROUGE reads most words, and Polish (46%); see `find_split_words`."""


def check_scores(evidence: Evidence) -> Check:
    """Whether every headline has a finite number for every conversation, and the numbers are those of the texts."""
    if not evidence.judged:
        return Check(
            "not run",
            "The lift is judged over the best prompt, and none was searched for.",
            "Search for it: `bench baseline --tune`.",
            "no best prompt was searched for, which it should be compared with",
        )
    problems = [lift.reason for lift in evidence.judged if isinstance(lift, NoLift)]
    problems += [
        f"a lift is judged on a metric where higher is better, and {lift.metric} is none"
        for lift in evidence.judged
        if evidence.direction(lift.metric) != "higher"
    ]
    if problems:
        words = f"There is no lift to judge: {'; '.join(dict.fromkeys(problems))}."
        fix = "Fix or replace what gives no number, and measure again."
        return Check("failed", words, fix, f"there is no lift to judge: {problems[0]}")
    wrong = [
        f"recorded {metric_label(one.metric)} differs from the texts' in {len(one.ids)} of {one.n} conversations of "
        f"run {one.run}, for example {one.ids[0]}"
        for one in evidence.mismatches
    ]
    if wrong:
        words = f"The scores are not those of the texts: {'; '.join(wrong)}."
        fix = "Measure the run again (--fresh): its files do not belong together."
        return Check("failed", words, fix, "the recorded scores are not those of the summaries")
    misread = {lift.metric: share for lift in evidence.judged if (share := evidence.misread(lift.metric)) > MISREAD}
    if misread:
        shares = [f"{metric_label(name)} misreads {share:.0%} of their words" for name, share in misread.items()]
        return Check(
            "failed",
            f"The references are not read as they are written: {join_words(shares)}; the limit is a third.",
            "They are named in the recipe: metrics.names and metrics.headlines.",
            f"{metric_label(next(iter(misread)))} cannot read the language of these summaries",
            step="Judge on a metric that reads every letter, such as chrf.",
        )
    return Check("passed", f"Every headline has a number for each of {evidence.n} conversations, in both runs.")


def check_same_base(evidence: Evidence) -> Check:
    """Whether the baseline is the candidate's own untuned model, with the same prompt."""
    candidate, baseline = evidence.candidate.manifest.system, evidence.baseline.manifest.system
    if candidate.model is None or baseline.model is None:
        who = "candidate" if candidate.model is None else "baseline"
        return Check(
            "not run",
            f"Which model wrote the {who}'s texts was not recorded by this suite.",
            SEEN_HERE,
            f"it is not known which model wrote the {who}'s summaries",
        )
    fix = f"Measure the candidate's own base: `bench baseline --model {candidate.model.reference}`, same recipe."
    if baseline.adapter is not None:
        return Check(
            "failed",
            "The baseline has an adapter, too: the gain is not one over the untuned model.",
            fix,
            "it is compared with another trained model, not with the untuned one",
        )
    if candidate.model.served and baseline.model.served:
        if candidate.prompt != baseline.prompt:
            return Check(
                "failed",
                "The baseline has another prompt than the candidate, so the gain may come from the prompt.",
                "Measure both with the same recipe.",
                "it has another prompt than the baseline, which may be all there is to the gain",
            )
        return Check(
            "passed",
            "Both are models as they were served, with the same prompt: the gain is that of one over the other.",
        )
    if (candidate.model.sha256, candidate.model.settings_sha256) != (
        baseline.model.sha256,
        baseline.model.settings_sha256,
    ):
        words = "The candidate's base has other weights or settings than the baseline's model."
        return Check("failed", words, fix, "it is compared with another model than its own base")
    # A prompt found by a search on development data is itself the candidate; any other difference confounds.
    if not evidence.candidate.manifest.tuned and (
        candidate.prompt is None or baseline.prompt is None or candidate.prompt.sha256 != baseline.prompt.sha256
    ):
        return Check(
            "failed",
            "The baseline has another prompt than the candidate, so the gain may come from the prompt.",
            "`bench baseline --tune` says what a prompt buys.",
            "it has another prompt than the baseline, which may be all there is to the gain",
            step="Measure the baseline with the candidate's recipe.",
        )
    adapter = candidate.adapter
    if adapter is not None and adapter.chat_template_sha256:
        return Check(
            "failed",
            "The candidate is scored with the chat template saved beside its adapter, the baseline with the model's: "
            "the gain may come from the template.",
            "For that, copy its tokenizer into the base's folder, and name this folder with --model.",
            "it has another chat template than the baseline, which may be all there is to the gain",
            step="Measure baseline and adapter with the same chat template.",
        )
    if adapter is None:
        return Check("passed", "Both are the same weights without an adapter; what differs is listed with the systems.")
    if adapter.base_sha256 is None:
        return Check(
            "not run",
            "The adapter does not tell which weights it was trained on.",
            "Train it through `bench train`, which records that.",
            "it is not known which model it was trained on",
        )
    if adapter.base_sha256 != candidate.model.sha256:
        words = "The adapter was trained on other weights than it was scored on."
        return Check("failed", words, fix, "it was trained on another model than it was scored on")
    if adapter.whole_model:
        return Check("passed", "The model was trained from the baseline's own weights; both have the same prompt.")
    return Check("passed", "The adapter was trained and scored on the baseline's own weights, with the same prompt.")


def check_effect(evidence: Evidence) -> Check:
    """Whether most texts are neither identical to an untuned system's nor near copies of a control's."""
    after = evidence.candidate.text_hashes
    for name, run in (("the baseline", evidence.baseline), ("the best prompt", evidence.best_prompted)):
        before = run.text_hashes if run else {}
        same = sum(before.get(id_) == text for id_, text in after.items())
        if after and 2 * same > len(after):
            return Check(
                "failed",
                f"{same} of {len(after)} texts are those of {name}, character by character.",
                "It may also be another system under a new name.",
                f"{same} of {len(after)} summaries are exactly those of {name}",
                f"{same} of {len(after)} (limit half)",
                [id_ for id_, text in after.items() if before.get(id_) == text],
                "Check that the adapter was applied.",
            )
    for copies in evidence.near_copies:
        if copies.ids is not None and 2 * len(copies.ids) > copies.n:
            return Check(
                "failed",
                f"{len(copies.ids)} of {copies.n} texts are those of {copies.control}, but for a few words.",
                "A text that needs no model proves nothing, even when it is edited a little.",
                f"{len(copies.ids)} of {copies.n} summaries are nearly those of {copies.control}, which needs no model",
                f"{len(copies.ids)} of {copies.n} (limit half)",
                list(copies.ids),
                "Train a model that writes by itself.",
            )
    unknown = [copies.control for copies in evidence.near_copies if copies.ids is None]
    aside = f" What {join_words(unknown)} wrote is not known, so copies of it were not looked for." if unknown else ""
    return Check("passed", f"Most texts differ from those of the baseline, the best prompt and every control.{aside}")


def check_seeds(evidence: Evidence) -> Check:
    """Whether every seed of the candidate's training is judged."""
    if left_out := evidence.basis.selection.unscored_seeds:
        fix = "Score every seed alike, and compare again."
        return Check("failed", f"Not judged: {left_out}.", fix, "not every seed of its training was judged")
    if evidence.candidate.manifest.family:
        return Check("passed", "Every seed of this training that lies in the runs folder is judged.")
    system = evidence.candidate.manifest.system
    if system.adapter is not None or system.model is None:
        return Check(
            "not run",
            "Which training it is from is not recorded.",
            "Train it through `bench train`, and score the adapter with the provenance.json that it wrote.",
            "it is not known how many trainings it was chosen from",
        )
    return Check("passed", "The candidate has no training with seeds.")
