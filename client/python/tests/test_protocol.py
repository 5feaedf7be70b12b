"""What counts as a signature, by the edge cases of others."""

from __future__ import annotations

import json
import unittest
from pathlib import Path

from corridor.protocol import ed25519_strict
from corridor.protocol.ed25519_strict import D, P, Point

EXTERNAL = Path(__file__).resolve().parents[3] / "proto" / "vectors" / "external"


def add(one: Point, other: Point) -> Point:
    """The sum of two points of the curve."""
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P
    return (x, y)


class Signatures(unittest.TestCase):
    """Strict verification."""

    def test_the_914_edge_cases_of_cctv_get_the_strict_verdict(self) -> None:
        refused = {
            "low_order_A", "low_order_R", "low_order_residue", "non_canonical_A",
            "non_canonical_R", "reencoded_k",
        }
        cases = json.loads((EXTERNAL / "cctv-ed25519.json").read_text())
        self.assertEqual(len(cases), 914)
        accepted = 0
        for case in cases:
            key, signature = bytes.fromhex(case["key"]), bytes.fromhex(case["sig"])
            found = ed25519_strict.verifies(key, case["msg"].encode(), signature)
            self.assertEqual(found, not refused & set(case["flags"] or []), case["number"])
            accepted += found
        self.assertGreater(accepted, 0)

    def test_the_12_cases_of_speccheck_get_the_strict_verdict(self) -> None:
        cases = json.loads((EXTERNAL / "speccheck-ed25519.json").read_text())
        verdicts = [
            ed25519_strict.verifies(
                *(bytes.fromhex(case[part]) for part in ("pub_key", "message", "signature"))
            )
            for case in cases
        ]
        self.assertEqual(verdicts, [number == 3 for number in range(12)])

    def test_the_points_of_small_order_are_all_eight(self) -> None:
        points = set()
        for encoded in ed25519_strict.SMALL_ORDER:
            point = ed25519_strict.decode_point(encoded)
            assert point is not None
            points.add(point)
            for _ in range(3):
                point = add(point, point)
            self.assertEqual(point, (0, 1))
        self.assertEqual(len(points), 8)


if __name__ == "__main__":
    unittest.main()
