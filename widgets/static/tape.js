// The forward pass in a page: a tape, as views/scene/tape.py writes it, run on many points.
//
//   const tape = new Tape(steps)
//   tape.run(weights, inputs, rows, wanted) -> columns by number, [rows * size] each
//
// Rows are points; a column that depends on no point has a single one. What a column is kept in
// is used again by the next run of the same tape. Numbers are doubles.

const { abs, cos, exp, expm1, log, log1p, max, min, sign, sin, sqrt, tan } = Math;

/** The complementary error function, to 1.2e-7 of its value (Numerical Recipes, erfcc). */
function erfc(x) {
  const t = 1 / (1 + abs(x) / 2);
  const powers = [0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806,
    0.09678418, 0.37409196, 1.00002368, -1.26551223];
  const series = powers.reduce((sum, factor) => sum * t + factor, 0);
  const found = t * exp(-x * x + series);
  return x >= 0 ? found : 2 - found;
}

const sigmoid = (x) => (x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)));

// By exp, which takes a third of the time of Math.tanh; to the last bits of 1.
const tanh = (x) => 1 - 2 / (exp(2 * x) + 1);

const ONE = {
  tanh, sigmoid, exp, log, log1p, expm1, sin, cos, tan, abs, sign, sqrt, erfc,
  relu: (x) => (x > 0 ? x : 0),
  gelu: (x) => (x * erfc(-x * Math.SQRT1_2)) / 2,
  silu: (x) => x * sigmoid(x),
  softplus: (x) => max(x, 0) + log1p(exp(-abs(x))),
  square: (x) => x * x,
  erf: (x) => 1 - erfc(x),
  reciprocal: (x) => 1 / x,
  negate: (x) => -x,
};
const TWO = {
  add: (a, b) => a + b, subtract: (a, b) => a - b, mul: (a, b) => a * b, divide: (a, b) => a / b,
  max, min,
};
const OVER = {
  sum: [0, (total, x) => total + x],
  product: [1, (total, x) => total * x],
  maximum: [-Infinity, max],
  minimum: [Infinity, min],
};

// What small networks spend their time in has a loop of its own, which is compiled for it alone.
const LOOPS = {
  tanh(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = 1 - 2 / (exp(2 * x[i]) + 1);
  },
  relu(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = x[i] > 0 ? x[i] : 0;
  },
  sigmoid(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = 1 / (1 + exp(-x[i]));
  },
  softplus(x, y) {
    for (let i = 0; i < y.length; i++) y[i] = max(x[i], 0) + log1p(exp(-abs(x[i])));
  },
};

/** z = x + b, of all points x and one b. */
function shifted(x, b, z) {
  const size = b.length;
  for (let i = 0; i < z.length; i += size) for (let n = 0; n < size; n++) z[i + n] = x[i + n] + b[n];
}

/** W x of all points, W : [m, n] laid end to end. */
function multiplied(w, x, y, m, n) {
  for (let i = 0, at = 0; i < x.length; i += n) {
    for (let o = 0, k = 0; o < m; o++) {
      let sum = 0;
      for (let j = 0; j < n; j++, k++) sum += w[k] * x[i + j];
      y[at++] = sum;
    }
  }
}

/** Where entries are in an array of some axes: for each place of `outer`, for each of `inner`. */
function places(strides, sizes, outer, inner) {
  const every = (labels) => labels.reduce(
    (found, label) => found.flatMap((at) =>
      Array.from({ length: sizes[label] }, (_, k) => at + k * (strides[label] ?? 0))), [0]);
  const within = every(inner);
  return Int32Array.from(every(outer).flatMap((at) => within.map((more) => at + more)));
}

/** How far apart neighbours along each axis are. */
function stridesOf(labels, sizes) {
  const found = {};
  let step = 1;
  for (const label of [...labels].reverse()) {
    found[label] = step;
    step *= sizes[label];
  }
  return found;
}

class Tape {
  constructor(steps) {
    this.steps = steps.map((step) => prepared(step));
    this.byColumn = new Map(this.steps.map((step) => [step.out, step]));
    this.columns = [];
    this.needs = new Map();
  }

  /** Operations for one point, about: what a run takes time for. */
  get work() {
    return this.steps.reduce((sum, step) => sum + step.work, 0);
  }

  run(weights, inputs, rows, wanted) {
    for (const step of this.needed(wanted)) step.run(this, weights, inputs, rows);
    return this.columns;
  }

  /** The steps that lead to columns, in their order. */
  needed(wanted) {
    const key = String(wanted);
    if (!this.needs.has(key)) {
      const found = new Set();
      const visit = (column) => {
        const step = this.byColumn.get(column);
        if (found.has(step)) return;
        step.from.forEach(visit);
        found.add(step);
      };
      wanted.forEach(visit);
      this.needs.set(key, this.steps.filter((step) => found.has(step)));
    }
    return this.needs.get(key);
  }

  /** An array for a column: [rows, size], or of a single row. */
  column(number, size, rows, moves) {
    const count = moves ? rows : 1;
    const known = this.columns[number];
    const data = known && known.whole.length >= size * count
      ? known.whole : new Float64Array(Math.ceil(size * count * 1.25));
    return (this.columns[number] = { whole: data, data: data.subarray(0, size * count), size, moves, rows: count });
  }
}

/** A step: the columns it takes, and `run`, which makes its column. */
function prepared([kind, out, ...rest]) {
  const made = MAKE[kind](out, ...rest);
  return { kind, out, from: [], work: 0, ...made };
}

const MAKE = {
  input: (out, k) => ({
    run(tape, _, inputs, rows) {
      const data = inputs[k];
      tape.columns[out] = { whole: data, data, size: data.length / rows, moves: true, rows };
    },
  }),
  weight: (out, from, size) => ({
    run(tape, weights) {
      const data = weights.subarray(from, from + size);
      tape.columns[out] = { whole: data, data, size, moves: false, rows: 1 };
    },
  }),
  constant: (out, values) => {
    const data = Float64Array.from(values);
    return {
      run(tape) {
        tape.columns[out] = { whole: data, data, size: data.length, moves: false, rows: 1 };
      },
    };
  },
  entries: (out, name, a, b) => (b === undefined ? one(out, name, a) : two(out, name, a, b)),
  take: (out, operands, from) => take(out, operands, Int32Array.from(from)),
  contract,
  reduce,
};

function one(out, name, a) {
  const apply = ONE[name];
  return {
    from: [a], work: 8,
    run(tape, _, __, rows) {
      const { data: x, size, moves } = tape.columns[a];
      const { data: y } = tape.column(out, size, rows, moves);
      if (LOOPS[name]) LOOPS[name](x, y);
      else for (let i = 0; i < y.length; i++) y[i] = apply(x[i]);
    },
  };
}

function two(out, name, a, b) {
  const apply = TWO[name];
  return {
    from: [a, b], work: 2,
    run(tape, _, __, rows) {
      const [x, y] = [tape.columns[a], tape.columns[b]];
      const { data: z } = tape.column(out, x.size, rows, x.moves || y.moves);
      if (name === "add" && x.moves && !y.moves) shifted(x.data, y.data, z);
      else if (x.moves === y.moves) for (let i = 0; i < z.length; i++) z[i] = apply(x.data[i], y.data[i]);
      else {
        // What is the same for all points is there once.
        const [p, q, size] = [x.moves ? z.length : x.size, y.moves ? z.length : y.size, x.size];
        for (let i = 0; i < z.length; i += size) {
          const [j, k] = [p === size ? 0 : i, q === size ? 0 : i];
          for (let n = 0; n < size; n++) z[i + n] = apply(x.data[j + n], y.data[k + n]);
        }
      }
    },
  };
}

function take(out, operands, from) {
  return {
    from: operands, work: from.length,
    run(tape, _, __, rows) {
      const found = operands.map((k) => tape.columns[k]);
      const { data } = tape.column(out, from.length, rows, found.some(({ moves }) => moves));
      // Each place: of which operand, and where in it.
      const starts = found.reduce((sums, { size }) => [...sums, sums.at(-1) + size], [0]);
      from.forEach((place, n) => {
        const k = place < 0 ? -1 : starts.findIndex((start) => place < start) - 1;
        const source = found[k];
        const step = source?.moves ? source.size : 0;
        for (let i = n, at = place - (starts[k] ?? 0); i < data.length; i += from.length, at += step) {
          data[i] = source ? source.data[at] : 0;
        }
      });
    },
  };
}

function contract(out, a, b, left, right, kept, labels, lengths) {
  const sizes = Object.fromEntries(labels.map((label, k) => [label, lengths[k]]));
  const [outer, inner] = [labels.slice(0, kept), labels.slice(kept)];
  const p = places(stridesOf(left, sizes), sizes, outer, inner);
  const q = places(stridesOf(right, sizes), sizes, outer, inner);
  const size = outer.reduce((product, label) => product * sizes[label], 1);
  const summed = inner.reduce((product, label) => product * sizes[label], 1);
  const plain = p.every((place, n) => place === n) && q.every((place, n) => place === n % summed);
  return {
    from: [a, b], work: 2 * p.length,
    run(tape, _, __, rows) {
      const [x, y] = [tape.columns[a], tape.columns[b]];
      const { data, rows: count } = tape.column(out, size, rows, x.moves || y.moves);
      const [dx, dy] = [x.moves ? x.size : 0, y.moves ? y.size : 0];
      const [u, v] = [x.data, y.data];
      if (plain && !dx && dy === summed) return multiplied(u, v, data, size, summed);
      for (let row = 0, at = 0; row < count; row++) {
        const [i, j] = [row * dx, row * dy];
        for (let o = 0, n = 0; o < size; o++) {
          let sum = 0;
          for (let k = 0; k < summed; k++, n++) sum += u[i + p[n]] * v[j + q[n]];
          data[at++] = sum;
        }
      }
    },
  };
}

function reduce(out, name, a, shape, axes) {
  const labels = shape.map((_, k) => k);
  const kept = labels.filter((k) => !axes.includes(k));
  const from = places(stridesOf(labels, shape), shape, kept, axes);
  const size = kept.reduce((product, k) => product * shape[k], 1);
  const summed = axes.reduce((product, k) => product * shape[k], 1);
  return {
    from: [a], work: 8 * from.length,
    run(tape, _, __, rows) {
      const x = tape.columns[a];
      const { data, rows: count } = tape.column(out, size, rows, x.moves);
      for (let row = 0, at = 0; row < count; row++) {
        for (let o = 0; o < size; o++, at++) {
          const first = o * summed;
          const over = ([begin, apply]) => {
            let total = begin;
            for (let k = 0; k < summed; k++) total = apply(total, x.data[row * x.size + from[first + k]]);
            return total;
          };
          if (name !== "logsumexp") data[at] = over(OVER[name]);
          else {
            const top = over(OVER.maximum);
            const rest = Number.isFinite(top) ? top : 0;
            data[at] = rest + log(over([0, (total, value) => total + exp(value - rest)]));
          }
        }
      }
    },
  };
}

export { Tape };
