// The search of the site, in place of Fuse, which smalldocs brings: that takes any text that looks a little like
// the words, and so finds `install` in `instance`. Here what a page says of itself and the terms that it explains
// (they are bold) count most, then headings, prose, and the words of code and outputs; a whole word counts more
// than the beginning of one, and a rare word more than a common one.
const split = words => words.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];
const empty = new Set(split('a an and are can do does how i in is it of on or the to what where which why with'));
const times = (text, part) => text.split(part).length - 1;
const pairs = word => new Set([...word].map((letter, i) => letter + (word[i + 1] ?? '')));

window.Fuse = class {
  constructor(rows) {
    this.items = rows.map(([href, title, section, terms, text, code]) => {
      const fields = [[title, section ? 2 : 12], [section, 6], [terms, section ? 4 : 9], [text, 3], [code, 1]];
      return {item: {href, title, section, text: text || code},
        fields: fields.map(([words, weight]) => [` ${split(words).join('  ')} `, weight])};
    });
  }

  rate(word) {  // how well each section fits a word
    const found = this.items.map(({fields}) => fields.reduce((sum, [words, weight]) => {
      const n = times(words, ` ${word} `) + .6*times(words, ` ${word}s `) + .2*times(words, ` ${word}`);
      return sum + weight*n/(n + .5 + words.length/1000);
    }, 0));
    const rare = Math.log(found.length/(1 + found.filter(Boolean).length));
    return found.map(score => score*rare);
  }

  nearest(word) {  // the word of the book that shares most pairs of letters with one that is not in it
    const mine = pairs(word), all = new Set(this.items.flatMap(({fields}) => fields.flatMap(([words]) => words.split(/ +/))));
    const alike = other => { const its = pairs(other); return its.intersection(mine).size/its.union(mine).size; };
    return [...all].reduce((best, other) => alike(other) > Math.max(.5, alike(best)) ? other : best, '') || word;
  }

  search(query, {limit}) {
    const words = split(query), full = words.filter(word => !empty.has(word));
    const ratings = (full.length ? full : words).map(word => {
      const found = this.rate(word);
      return found.some(Boolean) ? found : this.rate(this.nearest(word));
    });
    return this.items.map(({item}, i) => ({item, score: ratings.reduce((sum, found) => sum + found[i], 0)}))
      .filter(({score}) => score).sort((a, b) => b.score - a.score).slice(0, limit);
  }
};
