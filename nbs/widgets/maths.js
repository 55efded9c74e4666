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

// ---- training (03_train)

export class Trainer {  // the loop of `fit`, a step at a time; settings may change between two steps: {120: {lr: .01}}
  constructor({train, valid}, start, changes = {}) {  // images and labels, {x, y, n}; {lr, bs, loss, scale, seed, shuffle}
    const order = Uint32Array.from(train.y.keys()).sort((a, b) => train.y[b] - train.y[a] || a - b);  // threes first, as in the package's data
    Object.assign(this, {train, valid, start, changes, order, settings: {...start}, model: initLinear(start.seed, 784, start.scale), random: new Random(start.seed), left: [], seen: 0, curve: []});
    this.judge();
  }

  get steps() { return this.curve.length - 1; }

  change(name, value) {  // from the next step on; what was to change later does not
    for (const at in this.changes) if (at > this.steps) delete this.changes[at];
    this.settings[name] = (this.changes[this.steps] ??= {})[name] = value;
  }

  step() {
    const {lr, bs, loss, shuffle} = this.settings, {x, y, n} = this.train;
    if (!this.left.length || shuffle !== this.shuffle) this.left = shuffle ? this.random.permutation(n) : this.order;  // an epoch begins
    const rows = this.left.subarray(0, bs), yb = Float64Array.from(rows, row => y[row]), z = logits(this.model, x, rows);
    sgdStep(this.model, backward(x, LOSSES[loss].grad(z, yb), 784, rows), lr);
    Object.assign(this, {shuffle, left: this.left.subarray(bs), seen: this.seen + rows.length});
    this.judge(LOSSES[loss].loss(z, yb));
  }

  judge(batch) {  // on images that are not trained on; beside it the loss of the batch, before its step
    const {x, y} = this.valid, z = logits(this.model, x);
    this.curve.push({batch, loss: LOSSES[this.settings.loss].loss(z, y), errors: countErrors(z, y)});
    this.z = z;
    Object.assign(this.settings, this.changes[this.steps]);
  }
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
