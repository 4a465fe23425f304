// Singular values of a small matrix, by rotations of pairs of columns (one-sided Jacobi).
//
//   svd(rows, m, n) -> [{ size, left, right }, …]    the largest first; W = Σ size left rightᵀ

const SWEEPS = 40;
const ENOUGH = 1e-14;

/** `entries` : m rows of n, laid end to end. */
function svd(entries, m, n) {
  if (m < n) {
    const turned = Float64Array.from({ length: m * n }, (_, k) => entries[(k % m) * n + Math.floor(k / m)]);
    return svd(turned, n, m).map(({ size, left, right }) => ({ size, left: right, right: left }));
  }
  const columns = Array.from({ length: n }, (_, j) => Float64Array.from({ length: m }, (_, i) => entries[i * n + j]));
  const rights = Array.from({ length: n }, (_, j) => Float64Array.from({ length: n }, (_, i) => +(i === j)));
  const dot = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);
  for (let sweep = 0, turned = true; turned && sweep < SWEEPS; sweep++) {
    turned = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const [a, b, c] = [dot(columns[p], columns[p]), dot(columns[q], columns[q]), dot(columns[p], columns[q])];
        if (Math.abs(c) <= ENOUGH * Math.sqrt(a * b) || c === 0) continue;
        turned = true;
        const zeta = (b - a) / (2 * c);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, t);
        for (const pair of [columns, rights]) {
          const [u, v] = [pair[p], pair[q]];
          for (let k = 0; k < u.length; k++) {
            const x = u[k];
            u[k] = cosine * (x - t * v[k]);
            v[k] = cosine * (t * x + v[k]);
          }
        }
      }
    }
  }
  const found = columns.map((column, k) => ({ size: Math.hypot(...column), left: column, right: rights[k] }));
  found.sort((one, other) => other.size - one.size);
  found.forEach((each, k) => {
    // A direction that is lost has an image of length zero: any that is square to the others.
    each.left = each.size > 1e-12 * (found[0].size || 1)
      ? each.left.map((value) => value / each.size) : square(found.slice(0, k), m);
  });
  return found;
}

/** A unit vector square to the left ones of others. */
function square(others, m) {
  for (let axis = 0; axis < m; axis++) {
    const made = Float64Array.from({ length: m }, (_, k) => +(k === axis));
    for (const { left } of others) {
      const share = left[axis];
      made.forEach((_, k) => (made[k] -= share * left[k]));
    }
    const length = Math.hypot(...made);
    if (length > 0.5 / Math.sqrt(m)) return made.map((value) => value / length);
  }
  return new Float64Array(m);
}

export { svd };
