// The search of the site, in place of Fuse, which smalldocs brings: it takes any text that looks a little like
// the words, and so finds `install` in `instance`. Here whole words stand before beginnings of words, headings
// before prose, prose before code and outputs, and rare words before common ones.
const split = words => words.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
const times = (text, part) => text.split(part).length - 1;
const pairs = word => new Set([...word].map((letter, i) => letter + (word[i + 1] ?? '')));

window.Fuse = class {
  constructor(rows) {
    this.items = rows.map(([href, title, section, text, code]) => {
      const fields = [[title, section ? 2 : 12], [section, 6], [text, 3], [code, 1]];
      return {item: {href, title, section, text: text || code},
        fields: fields.map(([words, weight]) => [` ${split(words).join('  ')} `, weight])};
    });
  }

  rate(word) {  // how well each section fits a word
    const found = this.items.map(({fields}) => fields.reduce((sum, [words, weight]) => {
      const n = times(words, ` ${word} `) + .3*times(words, ` ${word}`);
      return sum + weight*n/(n + .5 + words.length/3000);
    }, 0));
    const rare = Math.log(1 + found.length/(1 + found.filter(Boolean).length));
    return found.map(score => score*rare);
  }

  nearest(word) {  // the word of the book that shares most pairs of letters with one that is not in it
    const mine = pairs(word), all = new Set(this.items.flatMap(({fields}) => fields.flatMap(([words]) => words.split(/ +/))));
    const alike = other => { const its = pairs(other); return its.intersection(mine).size/its.union(mine).size; };
    return [...all].reduce((best, other) => alike(other) > alike(best) ? other : best, '');
  }

  search(query, {limit}) {
    const ratings = split(query).map(word => {
      const found = this.rate(word);
      return found.some(Boolean) ? found : this.rate(this.nearest(word));
    });
    return this.items.map(({item}, i) => ({item, score: ratings.reduce((sum, found) => sum + found[i], 0),
      all: ratings.every(found => found[i])}))
      .filter(({score}) => score).sort((a, b) => b.all - a.all || b.score - a.score).slice(0, limit);
  }
};
