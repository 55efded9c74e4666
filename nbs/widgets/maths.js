// The mathematics of the pages that learn: what the package does in PyTorch, again in plain JavaScript.
//
// Names and shapes are the package's. A matrix is a Float64Array, row after row; an image is 784 numbers in [0, 1], ink is 1.
// No line here touches the page. tools/check_widgets.py runs all of it beside the package and fails where the two differ.

// ---- random numbers

export class Random {  // from a seed, the same numbers in every browser: mulberry32 (Tommy Ettinger, 2017)
  constructor(seed) { this.state = seed >>> 0; }

  uniform() {  // in [0, 1)
    this.state = (this.state + 0x6D2B79F5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return ((t ^ t >>> 14) >>> 0)/2**32;
  }

  normal() {  // of mean 0 and variance 1, after Box and Muller (1958)
    return Math.sqrt(-2*Math.log(1 - this.uniform()))*Math.cos(2*Math.PI*this.uniform());
  }

  permutation(n) {  // the numbers from 0 to n - 1, shuffled after Fisher and Yates
    const order = Uint32Array.from({length: n}, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor(this.uniform()*(i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

// ---- the linear model (02_linear): {w: Float64Array(n), b: a number}

export function initLinear(seed, n = 784, scale = 1) {  // normal random numbers, `scale` times as large
  const random = new Random(seed);
  return {w: Float64Array.from({length: n}, () => scale*random.normal()), b: scale*random.normal()};
}

export function logits({w, b}, x, rows) {  // of the images in those rows of x; of all when none are named
  const n = w.length, count = rows ? rows.length : x.length/n, z = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const start = (rows ? rows[i] : i)*n;
    let sum = b;
    for (let j = 0; j < n; j++) sum += w[j]*x[start + j];
    z[i] = sum;
  }
  return z;
}

export const sigmoid = z => 1/(1 + Math.exp(-z));

export const logSigmoid = z => Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)));  // without overflow

const mean = (z, y, term) => z.reduce((sum, zi, i) => sum + term(zi, y[i]), 0)/z.length;

const each = (z, y, slope) => z.map((zi, i) => slope(sigmoid(zi), y[i])/z.length);

export const LOSSES = {  // by name: the loss of logits and labels (1 is a three), and its derivative in each logit
  mean: {
    name: 'mean |y − p|',
    loss: (z, y) => mean(z, y, (zi, yi) => Math.abs(yi - sigmoid(zi))),
    grad: (z, y) => each(z, y, (p, yi) => (p < yi ? -1 : 1)*p*(1 - p)),
  },
  bce: {
    name: 'cross-entropy',
    loss: (z, y) => mean(z, y, (zi, yi) => -(yi*logSigmoid(zi) + (1 - yi)*logSigmoid(-zi))),
    grad: (z, y) => each(z, y, (p, yi) => p - yi),
  },
};

export function backward(x, dlogits, n, rows) {  // from the slope in each logit to the slope in each weight and in the bias
  const w = new Float64Array(n);
  dlogits.forEach((d, i) => {
    const start = (rows ? rows[i] : i)*n;
    for (let j = 0; j < n; j++) w[j] += d*x[start + j];
  });
  return {w, b: dlogits.reduce((sum, d) => sum + d, 0)};
}

export function sgdStep(model, grad, lr) {  // moves the model, in place
  for (let j = 0; j < model.w.length; j++) model.w[j] -= lr*grad.w[j];
  model.b -= lr*grad.b;
}

export const evidence = ({w}, x) => w.map((wj, j) => wj*x[j]);  // of one image (05_explain); its sum and the bias are the logit

export const countErrors = (z, y) => z.reduce((errors, zi, i) => errors + (zi > 0 !== y[i] > .5), 0);

// ---- a hidden layer (07_nets)

export class Mlp {  // w1 (n, hidden), b1 (hidden), w2 (hidden, 1), b2 (1)
  constructor(w1, b1, w2, b2) { Object.assign(this, {w1, b1, w2, b2}); }

  hiddenLayer(x) {  // weighted sums, and what is below zero cut off
    const {w1, b1} = this, hidden = b1.length, n = w1.length/hidden, h = new Float64Array(x.length/n*hidden);
    for (let i = 0; i < h.length; i++) {
      const unit = i % hidden, start = (i - unit)/hidden*n;
      let sum = b1[unit];
      for (let j = 0; j < n; j++) sum += x[start + j]*w1[j*hidden + unit];
      h[i] = Math.max(0, sum);
    }
    return h;
  }

  logits(x) { return logits({w: this.w2, b: this.b2[0]}, this.hiddenLayer(x)); }  // on top of the hidden layer, a line

  backward(x, dlogits) {  // the gradient of the loss in each parameter; nothing goes back through what was cut off
    const {w1, b1, w2} = this, hidden = b1.length, h = this.hiddenLayer(x), top = backward(h, dlogits, hidden);
    const grad = new Mlp(new Float64Array(w1.length), new Float64Array(hidden), top.w, [top.b]), n = w1.length/hidden;
    h.forEach((hi, i) => {
      const unit = i % hidden, row = (i - unit)/hidden, d = hi > 0 ? dlogits[row]*w2[unit] : 0;
      grad.b1[unit] += d;
      for (let j = 0; j < n; j++) grad.w1[j*hidden + unit] += d*x[row*n + j];
    });
    return grad;
  }

  step(grad, lr) { for (const name in this) this[name].forEach((_, i) => { this[name][i] -= lr*grad[name][i]; }); }
}

export function initMlp(seed, hidden = 30, n = 784) {  // weights as He et al. (2015) draw them, biases zero
  const random = new Random(seed), draw = (rows, cols) => Float64Array.from({length: rows*cols}, () => Math.sqrt(2/rows)*random.normal());
  return new Mlp(draw(n, hidden), new Float64Array(hidden), draw(hidden, 1), new Float64Array(1));
}

const POINTS = {  // a point of class y, 1 or 0, from -1 to 1; n() is normal, u() uniform
  xor: (y, n, u) => { const s = u() < .5 ? -.55 : .55; return [s + .11*n(), (y ? -s : s) + .11*n()]; },
  ring: (y, n, u) => { const r = .72 - y/2 + .07*n(), turn = 2*Math.PI*u(); return [r*Math.cos(turn), r*Math.sin(turn)]; },
  moons: (y, n, u) => { const turn = Math.PI*(u() - y); return [.55*Math.cos(turn) - y/2 + .25 + .05*n(), .6*Math.sin(turn) + .4*y - .2 + .05*n()]; },
  blobs: (y, n) => [y - .5 + .15*n(), .7*y - .35 + .15*n()],
};

export function drawPoints(name, count = 48, seed = 1) {  // of two classes in turn: [{at: [x, y], y: its class}, …]
  const random = new Random(seed);
  return Array.from({length: count}, (_, i) => ({y: i % 2, at: POINTS[name](i % 2, () => random.normal(), () => random.uniform())}));
}

// ---- a parabola through measurements (tutorials/sgd): at time t the speed a t² + b t + c; params are [a, b, c]

export const predictSpeed = (t, [a, b, c]) => t.map(ti => a*ti*ti + b*ti + c);

export const mse = (t, y, params) => predictSpeed(t, params).reduce((sum, s, i) => sum + (s - y[i])**2, 0)/t.length;

export function gradient(t, y, params) {  // each measurement votes with its error, times t², t and 1
  const r = predictSpeed(t, params).map((s, i) => s - y[i]);
  return [2, 1, 0].map(k => 2*r.reduce((sum, ri, i) => sum + ri*t[i]**k, 0)/t.length);
}

export function roll(t, y, [a, b, c], lr) {  // a step of a and c alone: two directions can be drawn
  const [da, , dc] = gradient(t, y, [a, b, c]);
  return [a - lr*da, b, c - lr*dc];
}

export const hessian = t => [4, 3, 2].map(k => [0, 1, 2].map(j => 2*t.reduce((sum, ti) => sum + ti**(k - j), 0)/t.length));

export function bowl(t) {  // over a and c alone: its curvatures, and the direction of the greatest
  const [[p, , q], , [, , r]] = hessian(t), middle = (p + r)/2, half = Math.hypot((p - r)/2, q);
  return {greatest: middle + half, least: middle - half, angle: Math.atan2(2*q, p - r)/2};
}

// ---- drawing: strokes to ink

export function addSegment(ink, size, [x0, y0], [x1, y1], radius) {  // a straight piece of a stroke, its edge smooth over a pixel
  const low = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - radius - 1)), high = (a, b) => Math.min(size - 1, Math.ceil(Math.max(a, b) + radius + 1));
  const dx = x1 - x0, dy = y1 - y0, length = dx*dx + dy*dy;
  for (let y = low(y0, y1); y <= high(y0, y1); y++) for (let x = low(x0, x1); x <= high(x0, x1); x++) {
    const along = length ? Math.max(0, Math.min(1, ((x - x0)*dx + (y - y0)*dy)/length)) : 0;
    const distance = Math.hypot(x - x0 - along*dx, y - y0 - along*dy);
    const level = Math.round(255*Math.max(0, Math.min(1, radius + .5 - distance)))/255;  // the levels of a picture of bytes
    ink[y*size + x] = Math.max(ink[y*size + x], level);
  }
}

export function drawStrokes(strokes, size, radius) {  // strokes are lists of points [x, y] in pixels; ink (size x size), 0 is paper
  const ink = new Float32Array(size*size);
  for (const stroke of strokes) stroke.forEach((point, i) => addSegment(ink, size, stroke[Math.max(0, i - 1)], point, radius));
  return ink;
}
