"""Makes docs/images/wiring.svg: an encoder and a decoder, as a loop and step by step.

python docs/images/wiring.py
"""

from pathlib import Path

import nnfp_kernel as nnfp
from nnfp_kernel.views.wiring import to_svg, wiring

PROGRAM = r"""
rep Word    = R[4]
rep Thought = R[32]

cell : (R[32], Word) ~> R[32]
cell (h, Word x) = tanh (?W @ h + ?U @ x + ?b)

step : R[32] ~> (R[32], Word)
step h = (tanh (?V @ h), Word (dense[4] h))

translate : [Word] ~> Word[10]
translate = fold cell zero >> Thought >> (\(Thought t) -> unfold[10] step t)
"""

session = nnfp.Session()
session.run(PROGRAM)
place = Path(__file__).with_name("wiring.svg")
place.write_text(to_svg(wiring(session.program, "translate", unroll=4)) + "\n")
