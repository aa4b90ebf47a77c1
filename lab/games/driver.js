'use strict'
// What a game driver written for node needs: its half of the conversation in README.md, and
// conditions with deadlines. The twin of driver.py.

const path = require('node:path')
const { createInterface } = require('node:readline')

const MISSING_PARTS_EXIT_CODE = 77
const POLL_MS = 10

const started = performance.now()

/** A line for the person who watches; the machine reads stdout. */
function log (line) {
  const seconds = ((performance.now() - started) / 1000).toFixed(2).padStart(6)
  process.stderr.write(`${seconds}  ${line}\n`)
}

function tell (event) { process.stdout.write(JSON.stringify(event) + '\n') }

/** The npm package, from where scripts/setup-tests.sh put it. */
function minecraftProtocol () {
  const parts = process.env.VIA6_TEST_PARTS ?? path.join(__dirname, '../../.test-parts')
  try {
    return require(require.resolve('minecraft-protocol', { paths: [path.join(parts, 'games')] }))
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error
    tell({ event: 'missing', parts: ['npm minecraft-protocol'] })
    process.exit(MISSING_PARTS_EXIT_CODE)
  }
}

/** Tells where the game server listens and waits to be told which port the players dial. */
async function serve (where) {
  tell({ event: 'serving', ...where })
  for await (const line of createInterface({ input: process.stdin })) {
    // An open stdin would keep this process alive after the game.
    process.stdin.destroy()
    return JSON.parse(line).dial
  }
  throw new Error('stdin ended before it said which port to dial')
}

/** The last line of a run in which every step was right. */
function proven (what) { tell({ event: 'proven', ...what }) }

/** Waits until `condition()` is something, and returns it; fails after `deadlineMs`. */
async function until (what, deadlineMs, condition) {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const value = condition()
    if (value) return value
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

module.exports = { log, minecraftProtocol, proven, serve, until }
