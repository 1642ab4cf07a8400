"""The properties that a check asks for, by name. `check(softmax, keeps_inputs, sums_to_one, matches)` reads them here.

docs/probes.md says what a probe is and how to add one.
"""

from .basic import finite, keeps_inputs, matches, right_shape, same_alone_and_in_a_batch, same_twice
from .blocks import blind_to_hidden_tokens, each_row_by_itself, each_sentence_by_itself, same_in_eval
from .chance import chooses_the_share, draws_evenly, draws_from, hides_by_ordinary_ids, labels_what_it_chose, shares_out
from .decoding import ends_at_eos, no_bos, same_counts, same_sentences, searches_each_sentence_by_itself
from .gradients import each_gradient, restores, right_size, rows_sum_to_zero
from .heads import axes, entries_in_place, open_rows_sum_to_one
from .masking import blind_to_masked_keys, blind_to_masked_scores, visible_rows_sum_to_one
from .permutation import permutes_with
from .positions import columns_hold_their_waves, learns_the_same, moves_positions, turns_pairs
from .probe import Finding, Probe, Trial
from .sampling import draws_each_row, draws_in_proportion, draws_what_may_come, gives_tokens, is_greedy_at_zero
from .scores import between_values, hears_every_row
from .sequence import blind_to_later_rows, blind_to_later_tokens, within
from .training import (
    gives_the_loss,
    ignores_padding,
    knows_specials,
    same_entries,
    tells_the_watcher,
    updates_the_model,
)
from .translation import has_course_weights, translates
from .weights import rows_sum_to_one, sums_to_one, zero_where_masked
from .whole_model import (
    blind_to_padding,
    blind_to_the_future,
    decodes_in_eval_mode,
    encodes_once,
    hears,
    nothing_after_eos,
    restores_the_mode,
    right_sentences,
    same_sentence_alone,
    stops_in_time,
)
from .work import (
    computes_in_type,
    leaves_the_model,
    runs_in_a_kernel,
    works_in_blocks,
    works_in_turns,
    works_once,
)

__all__ = [
    "Finding",
    "Probe",
    "Trial",
    "axes",
    "between_values",
    "blind_to_hidden_tokens",
    "blind_to_later_rows",
    "blind_to_later_tokens",
    "blind_to_masked_keys",
    "blind_to_masked_scores",
    "blind_to_padding",
    "blind_to_the_future",
    "chooses_the_share",
    "columns_hold_their_waves",
    "computes_in_type",
    "decodes_in_eval_mode",
    "draws_each_row",
    "draws_evenly",
    "draws_from",
    "draws_in_proportion",
    "draws_what_may_come",
    "each_gradient",
    "each_row_by_itself",
    "each_sentence_by_itself",
    "encodes_once",
    "ends_at_eos",
    "entries_in_place",
    "finite",
    "gives_the_loss",
    "gives_tokens",
    "has_course_weights",
    "hears",
    "hears_every_row",
    "hides_by_ordinary_ids",
    "ignores_padding",
    "is_greedy_at_zero",
    "keeps_inputs",
    "knows_specials",
    "labels_what_it_chose",
    "learns_the_same",
    "leaves_the_model",
    "matches",
    "moves_positions",
    "no_bos",
    "nothing_after_eos",
    "open_rows_sum_to_one",
    "permutes_with",
    "restores",
    "restores_the_mode",
    "right_sentences",
    "right_shape",
    "right_size",
    "rows_sum_to_one",
    "rows_sum_to_zero",
    "runs_in_a_kernel",
    "same_alone_and_in_a_batch",
    "same_counts",
    "same_entries",
    "same_in_eval",
    "same_sentence_alone",
    "same_sentences",
    "same_twice",
    "searches_each_sentence_by_itself",
    "shares_out",
    "stops_in_time",
    "sums_to_one",
    "tells_the_watcher",
    "translates",
    "turns_pairs",
    "updates_the_model",
    "visible_rows_sum_to_one",
    "within",
    "works_in_blocks",
    "works_in_turns",
    "works_once",
    "zero_where_masked",
]
