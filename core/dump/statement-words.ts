/** How many words tell whether a statement creates a function: CREATE OR REPLACE FUNCTION. */
const tellingWords = 4;
const functionStatement = /^create (or replace )?(function|procedure)\b/;
/** Longer than any word that means something here. */
const keptLetters = 12;
const letters = { e: 101, E: 69 } as const;

/** What decides whether a semicolon ends a statement: parentheses, and the bodies of SQL functions. As psql does it. */
export class StatementWords {
  parentheses = 0;
  private word = '';
  private length = 0;
  private firstLetter = 0;
  private readonly first: string[] = [];
  private isFunction = false;
  private bodies = 0;

  letter(current: number): void {
    if (this.length === 0) {
      this.firstLetter = current;
    }
    this.length += 1;
    // The words of an ordinary statement mean nothing: not keeping them makes long ones several times faster to read.
    if (this.length <= keptLetters && (this.isFunction || this.first.length < tellingWords)) {
      this.word += String.fromCharCode(current).toLowerCase();
    }
  }

  /** Ends the word, if there is one; true when it was the `E` that begins an escape string. */
  end(): boolean {
    if (this.length === 0) {
      return false;
    }
    const isE = this.length === 1 && (this.firstLetter === letters.e || this.firstLetter === letters.E);
    if (this.word !== '') {
      this.consider(this.word);
    }
    this.word = '';
    this.length = 0;
    return isE;
  }

  isInside(): boolean {
    return this.parentheses > 0 || this.bodies > 0;
  }

  clear(): void {
    this.parentheses = 0;
    this.word = '';
    this.length = 0;
    this.first.length = 0;
    this.isFunction = false;
    this.bodies = 0;
  }

  private consider(word: string): void {
    if (this.first.length < tellingWords) {
      this.first.push(word);
      this.isFunction = functionStatement.test(this.first.join(' '));
    }
    if (!this.isFunction || this.parentheses > 0) {
      return;
    }
    if (word === 'begin' || (word === 'case' && this.bodies > 0)) {
      this.bodies += 1;
    } else if (word === 'end') {
      this.bodies = Math.max(0, this.bodies - 1);
    }
  }
}
