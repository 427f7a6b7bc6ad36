// @ts-check
// Makes every connection to SQLite say synchronous=FULL and be synchronous=NORMAL, in all threads of a
// program that is started with `--import`: so that the test of power cuts can be seen to fail.
import Database from 'better-sqlite3';

const { pragma } = Database.prototype;
/** @type {typeof pragma} */
Database.prototype.pragma = function (source, options) {
  if (/^synchronous\b/.test(source)) {
    pragma.call(this, 'synchronous = NORMAL');
    return 2;
  }
  return pragma.call(this, source, options);
};
