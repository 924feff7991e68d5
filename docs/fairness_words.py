"""The prose of docs/fairness.md; figures in it are put in by docs/fairness.py."""

from __future__ import annotations

INTRO = """\
# Fairness

This page is made from `benchmarks/fairness/results` by `python docs/fairness.py`. Measured on {date}.

A face recogniser that is right "in 999 of 1,000 cases" is right that often on the average of the people it was tried
on. For some groups of people it errs many times as often. So do programs that judge photos: that eyes are closed, or
that a skin has an unnatural colour. This page says how often ours err, for whom, and of whom nobody here knows.

Two errors of a recogniser are told apart. A **false match**: somebody else is taken for the person. A **false
non-match**: the person is not recognised. A higher threshold makes fewer of the first and more of the second."""

HOW = """\
† Fewer than 30 people. The figures are shown, and decide nothing: of so few people nobody can tell a rate of 1 in
1,000.

These are {people} members of the Congress of the United States of 2021, with the official portraits and the labels of
gender, ethnicity and birth date that the public data sets of CivilServiceUSA give them
([us-senate](https://github.com/CivilServiceUSA/us-senate), [us-house](https://github.com/CivilServiceUSA/us-house)).
We did not check the labels, and a label is no description of a face. The photos stay outside the project; only counts
are kept.

**Pairs of different people** are all pairs of two people *of the same group*, by their portraits: {pairs} pairs of
everybody. A stranger of your own sex, age and descent is more like you than one drawn from everywhere, so that most
groups' rates are above that of mixed strangers.

**Pairs of one person** are of two kinds. *Different photos*: the portrait beside the picture of the Congressional
Pictorial Directory (public domain, grey, 200 pixels wide). Where both are one and the same picture the pair is left
out: the faces are laid upon each other and their fine detail is correlated; from 0.85 on it is one picture (looked
at: every pair from 0.7 to 0.95). Faces are aligned by each engine's own landmarks, so that a pair at the border may
fall out with one of them only: {same}.
One more is left out because the portrait is of a namesake. *Made worse*: the portrait beside itself after each of

{variants}

That changes the picture and never the face: it is kinder than another day.

**Intervals** hold the true rate with a probability of 95 %. Pairs share people: 31 people make 465 pairs, and one face
that is like many others is in 30 of them. So people, not pairs, are drawn again 2,000 times; where hardly any pair
passes, the exact binomial interval is taken if it is wider. No figure is corrected for how many groups there are."""

NOT_SAID = {
    "refused": """\
Refused, of pairs of one person; first two different photos, then the portrait made worse (eight times for each
person). With so few errors no group differs from another for certain.""",
    "even": """\
`strictness` at `even across groups (1 in 1,000)` and `(1 in 10,000)` takes the lowest threshold at which the worst
group still keeps the rate, with 95 % certainty: the upper end of the one-sided 95 % interval of every group of 30
people and more is at or below it. The default is as it was: no threshold of the other choices has changed.

Where a group's pairs are enough the bound is **counted**. Where not even a group without any error could show the rate
(below 78 people for 1 in 1,000, below 246 for 1 in 10,000), it is **modelled**: scores are taken to be distributed as
those of all pairs are, with the group's own mean and spread. The tables hold the model against the count: at 1 in
1,000 they differ by {apart} at most, where pairs are enough, and the model mostly asks for more. The groups that decide
are small, so that the thresholds are more careful than exact; of groups marked † they promise nothing, and some of
them ask for more.""",
    "sources": """\
**The cost is understated for photos of another source.** The table above is of portraits beside directory pictures of
the same years. On other pairs of an official portrait and a press photo `yunet-sface` refused 10 %
(1 in 1,000) and 22 % (1 in 10,000) of the right people at the even thresholds, where the table says 2.3 and 7.5 %; the
plain thresholds held there too. Below is what can be repeated: the portraits of {people} members of Congress beside
press photos of them in Labeled Faces in the Wild, {pairs} pairs, some 18 years apart
(`python benchmarks/fairness/sources.py`). They are few, and nothing was chosen by them. Which of these costs is yours
depends on your photos: hold your own against your own before you choose `even across groups`.""",
    "found": """\
Portraits of 1,024 pixels, and the same made smaller until the face has the given size (shorter side of its box, by the
detectors themselves). *In a larger picture*: the smaller portrait lies in a grey picture of 1,024 pixels, as a person
at a distance does. Each number counts people.""",
    "rules": """\
`likeness check --document icao --uncut` on the portraits of {checked} people, as they are. They were not taken as ID
photos: nearly all stand before flags and curtains, most smile, some wear glasses, and fail for that by right. What
matters is whether a rule fails one group more than another where the photos give no reason. A difference between a
group and everybody else is called one where it comes about by chance less than once in 1,000 times (Fisher's exact
test); groups of fewer than ten are not compared. That a rule is uneven may lie in the rule, or in the photos: that men
stand before darker curtains is no fault of the rule about curtains.""",
    "doubtful": """\
Worth a look (less than once in 100 times by chance; of so many comparisons a few are chance):""",
}

LOOKED_INTO = """\
What was looked into, on the same day:

- *Not turned to the side*: the detector's five points, which know nothing of the dense landmarks by which the rule
  judges, say the same: 40 % of the Black people's portraits are turned by more than 8 degrees and 20 % of the white
  people's. It is in these photos.
- *Eyes not covered* was in the rule, and was changed. It counts what lies round the lids and differs in colour from the
  cheeks. Lashes, make-up and deep shade are nearly grey, and grey is further from a skin of strong colour. By a fixed
  distance 14 of 52 Black and 34 of 483 other people did not pass. Now the distance is in proportion to the skin's own
  colour, and it is {eyes_brown} and {eyes_rest}: less uneven, and not even. Of Black people the rule fails
  {eyes_failed}. Women still pass less often than men; make-up may be why. Of covers drawn over one eye of 50 people,
  which had no part in the choice, it notices a few more than before: 37 patches (33) and 22 locks of hair (20). Of
  fingers in the skin's own colour it notices 5, as before: colour alone cannot see them.
- *No head covering*: hair that stands high or falls over the forehead is doubted as a hat. It failed nobody for
  certain, because the rule has exceptions that only a person can judge.
- *Whole head in the picture*: many of the women's portraits end close above their hair.
- *Light background* and *Background colour*: men stand before darker curtains.
- *Natural skin colour*, as first written, failed 9 of 42 Black and 2 of 43 white people: it wanted whiter eyes than
  melanin and age leave. It was changed. Now it fails {brown} Black people and {rest} others, which may be chance, and
  is watched.
- *Left eye open* and *Right eye open*: of {asian} Asian people they failed nobody. So few tell little.
- *No glare on glasses*, *Not too bright* and *Sharp* were not looked into.
"""

BORROWED = """\
## What others publish

insightface's own figures for its packs, from its
[model zoo](https://github.com/deepinsight/insightface/tree/master/model_zoo) (read on 2026-11-20): true accepts in per
cent on its multi-racial test set, at a false match rate of one in a million over all pairs of the set.

| Pack | all | African | Caucasian | South Asian | East Asian |
| --- | ---: | ---: | ---: | ---: | ---: |
| buffalo_l | 91.25 | 90.29 | 94.70 | 93.16 | 74.96 |
| buffalo_s | 71.87 | 69.45 | 80.45 | 73.39 | 51.03 |

They are of far more people than ours and of the other error: at one threshold for all, East Asian people are refused
most. There are too few Asian people among ours to see that. We know of no figures by group for YuNet and SFace."""

END = """\
## What follows

- A threshold with a measured rate does not hold that rate for everybody. Where a wrong match does harm, take
  `even across groups`, or look yourself.
- A check that passed says less about people of the groups in which many strangers pass. It is evidence, never proof.
- A photo that a rule refuses may be right. A rule that is uneven here says so on this page, and a person should look.

## What does not follow

- Nothing about children, about people under 30, and about groups that are hardly among these people: their rows are
  there so that one can see how few they are.
- Nothing about hasty selfies, webcams or surveillance: official portraits are sharp and well lit, and one portrait of
  each person is no sample of how that person can look.
- Nothing about generated pictures. Strangers here are real ones.
- Nothing about why. A difference can come from the recogniser, from the photographer, from who is in Congress, or from
  the labels.
- These are rates of a group, not of a person.

## Make it again

`benchmarks/README.md` has the commands. They take the folders of the data sets on the command line, keep embeddings in
a file that you name (they are biometric data: delete it), and write nothing but counts into the project."""
