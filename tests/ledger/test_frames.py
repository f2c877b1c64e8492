import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokligence.ledger.frames import (
    ENDED,
    MAX_PAYLOAD,
    STARTED,
    FrameReader,
    FrameTooLarge,
    Gap,
    frame,
    payload_of,
)

records = st.lists(st.tuples(st.sampled_from([STARTED, ENDED]), st.binary(max_size=60)), max_size=12)


def joined(frames):
    return b"".join(frame(kind, payload) for kind, payload in frames)


def read(data, step=None):
    reader = FrameReader()
    step = step or max(len(data), 1)
    frames = [found for i in range(0, len(data), step) for found in reader.feed(data[i : i + step])]
    return frames + reader.close(), reader


@given(records, st.integers(1, 40))
def test_frames_come_back_wherever_the_stream_is_cut(frames, step):
    found, reader = read(joined(frames), step)
    assert found == frames
    assert reader.gaps == []
    assert reader.torn is None


@given(records, st.data())
def test_a_torn_tail_loses_only_the_record_it_tears(frames, data):
    whole = joined([*frames, (ENDED, b"the last one")])
    cut = data.draw(st.integers(len(joined(frames)), len(whole) - 1))
    found, reader = read(whole[:cut], data.draw(st.integers(1, 40)))
    assert found == frames
    assert reader.gaps == []
    assert reader.torn == (
        Gap(len(joined(frames)), cut - len(joined(frames))) if cut > len(joined(frames)) else None
    )


@given(records, st.binary(min_size=1, max_size=80), records.filter(bool), st.integers(1, 200))
def test_rubbish_between_records_is_reported_and_stepped_over(before, rubbish, after, step):
    found, reader = read(joined(before) + rubbish + joined(after), step)
    assert found == before + after
    assert reader.gaps == [Gap(len(joined(before)), len(rubbish))]
    assert reader.torn is None


@given(st.data())
def test_a_flipped_bit_never_passes_for_a_record(data):
    frames = [(ENDED, b"first"), (STARTED, b"second"), (ENDED, b"third")]
    raw = bytearray(joined(frames))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    found, reader = read(bytes(raw))
    assert len(found) == 2
    assert all(one in frames for one in found)
    assert bool(reader.gaps) != bool(reader.torn)


def test_a_broken_length_that_reaches_beyond_the_end_hides_nothing_behind_it():
    broken = bytearray(frame(ENDED, b"broken"))
    broken[3] = 0xFF
    found, reader = read(bytes(broken) + frame(ENDED, b"whole"), step=7)
    assert found == [(ENDED, b"whole")]
    assert reader.gaps == [Gap(0, len(broken))]


def test_zeros_at_the_end_are_a_torn_tail():
    found, reader = read(frame(ENDED, b"whole") + bytes(4096))
    assert found == [(ENDED, b"whole")]
    assert reader.torn == Gap(len(frame(ENDED, b"whole")), 4096)


def test_a_payload_that_a_reader_would_not_believe_is_not_written():
    with pytest.raises(FrameTooLarge):
        frame(ENDED, bytes(MAX_PAYLOAD + 1))


def test_the_payload_of_a_frame_is_what_was_framed():
    assert payload_of(frame(STARTED, b"abc")) == b"abc"
