"""Label tables of PASCAL-Context and PASCAL-Part, as the multi-task benchmark uses them."""

PASCAL_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa",
    "train", "tvmonitor",
)  # fmt: skip
"""The 21 segmentation classes, by index."""

PART_CLASSES = (
    "background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg",
)  # fmt: skip
"""The 7 human-part classes, by index."""

PERSON = 15
"""Index of persons among the classes of PASCAL."""

_MEMBERS = {
    "head": "hair head lear rear lebrow rebrow leye reye mouth nose",
    "torso": "torso neck",
    "upper arm": "luarm ruarm",
    "lower arm": "llarm rlarm lhand rhand",
    "upper leg": "luleg ruleg",
    "lower leg": "llleg rlleg lfoot rfoot",
}

PART_OF: dict[str, int] = {
    member: PART_CLASSES.index(part)
    for part, members in _MEMBERS.items()
    for member in members.split()
}
"""From the part names in PASCAL-Part's files to the 7 classes."""

NORMALS_LABELS = frozenset(
    map(
        int,
        """
    3 4 6 9 10 11 13 15 17 18 22 23 29 30 33 34 36 37 38 39 41 43 46 49 50 51 53 55 56 59 61 62
    65 66 68 69 72 73 78 83 84 85 87 88 95 96 101 104 105 107 111 113 115 122 124 135 141 142 143
    146 150 154 157 158 159 165 172 174 181 183 184 191 193 195 197 199 202 213 215 216 219 220
    223 225 228 230 232 233 238 239 242 243 246 250 251 252 255 260 261 263 269 272 273 275 281
    283 284 285 286 287 288 290 291 292 293 295 304 307 309 310 314 315 319 323 329 330 331 336
    342 345 349 350 351 352 355 357 368 370 371 374 379 380 383 384 397 401 403 405 407 408 411
    412 413 414 417 419 421 423 427 429 430 432 440 441 442 443 444 446 454 457
    """.split(),
    )
)
"""PASCAL-Context labels (of 459) on which the distilled normals are valid.

The network that made them was trained on NYUD, so the benchmark keeps the classes whose names
occur in NYUD too, and tvmonitor (Maninis et al., 2019).
"""
