'use strict'
// Plays Minecraft 1.7 for about ten seconds: one server, four players in processes of their own; or as many
// as its argument says.
//
// The server and the players speak the game's own protocol (npm `minecraft-protocol`) with real
// packets: status and ping, login, a world of compressed chunks, chat, keep-alives, kick. What is
// left out is the picture: nobody walks, because nothing a relay could break depends on it.
//
// Every step is a condition with a deadline; the first one missed ends the run with exit code 1.

const assert = require('node:assert')
const { spawn } = require('node:child_process')
const path = require('node:path')
const { once } = require('node:events')
const { createInterface } = require('node:readline')
const { log, minecraftProtocol, proven, serve, until } = require('../driver.js')
const { GameServer } = require('./server.js')

// 1.7.2 to 1.7.5 speak protocol 4, 1.7.6 to 1.7.10 protocol 5: both are played here.
const PLAYERS = [
  { name: 'ann', protocol: 4 },
  { name: 'bob', protocol: 5 },
  { name: 'cid', protocol: 4 },
  { name: 'dot', protocol: 5 }
]
for (let number = PLAYERS.length; number < Number(process.argv[2] ?? 0); number++) {
  PLAYERS.push({ name: `player${number + 1}`, protocol: 4 + number % 2 })
}
const MOTD = 'A world of its own – §aélan 世界'
const KICK_REASON = 'Kicked: “no griefing”, 再见 \\ {"text":"not markup"} §c!'
// A leaver whom the server notices later than this was noticed by a time-out, not by the end of
// the connection (the game's own time-out is 30 s).
const NOTICED_WITHIN_MS = 2000
// They share one machine: the more they are, the longer all of them take to start, and what they all get to come.
const CROWD = Math.max(1, PLAYERS.length / 4)
const HEARD_WITHIN_MS = 5_000 * CROWD
const WORLD_BYTES_AT_LEAST = 1 << 20

/** One player: a process of its own, so that it can be killed as a crashed game is. */
class Player {
  constructor ({ name, protocol }, port) {
    this.name = name
    this.heard = []
    this.process = spawn(process.execPath,
      [path.join(__dirname, 'player.js'), String(port), name, String(protocol)],
      { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.process.stdout }).on('line', line => {
      const event = JSON.parse(line)
      if ('heard' in event) this.heard.push(event.heard)
      else Object.assign(this, event)
    })
  }

  tell (order) { this.process.stdin.write(JSON.stringify(order) + '\n') }

  has (what) { return until(`${this.name}: ${what}`, 20_000 * CROWD, () => this[what]) }

  hears (text) { return until(`${this.name} hears ${text}`, HEARD_WITHIN_MS, () => this.heard.includes(text)) }
}

async function main () {
  const server = await GameServer.listen(MOTD)
  const port = await serve({ port: server.port, protocol: 'tcp' })

  const pings = [await statusAnswers(port, 0)]
  const players = await everybodyJoins(server, port)
  const worldBytes = await worldsArriveWhole(server, players)
  const lines = await everybodyHearsEverybody(players)
  pings.push(await statusAnswers(port, PLAYERS.length))
  const keepAlives = await keepAlivesAreAnswered(server)

  const noticed = {
    quit: await leaves(server, players[0], player => player.tell({ quit: true })),
    killed: await leaves(server, players[1], player => player.process.kill('SIGKILL')),
    kicked: await leaves(server, players[2], player => server.kick(player.name, KICK_REASON))
  }
  assert.strictEqual(await players[2].has('kicked'), JSON.stringify({ text: KICK_REASON }))
  log('the kick reason arrived verbatim')

  // The last player must not have felt any of this.
  players[3].tell({ say: 'still here' })
  await players[3].hears('<dot> still here')
  noticed.quitLast = await leaves(server, players[3], player => player.tell({ quit: true }))

  const others = players.slice(4)
  await Promise.all(others.map(other => leaves(server, other, player => player.tell({ quit: true }))))

  server.close()
  proven({
    game: 'minecraft 1.7',
    players: players.length,
    protocols: [...new Set(PLAYERS.map(player => player.protocol))],
    bytes: worldBytes,
    chat_lines_heard: lines,
    keep_alives: keepAlives,
    pings_ms: pings,
    leavers_noticed_ms: noticed
  })
}

/** The server list's question: who are you, how many play, how far away are you? */
async function statusAnswers (port, online) {
  const status = await minecraftProtocol().ping({ host: '127.0.0.1', port, version: '1.7' })
  assert.strictEqual(status.description.text, MOTD)
  assert.strictEqual(status.version.protocol, 5)
  assert.strictEqual(status.players.online, online)
  assert.ok(Number.isInteger(status.latency), 'the ping was answered')
  log(`status and ping answered: ${online} online, ${status.latency} ms`)
  return status.latency
}

async function everybodyJoins (server, port) {
  const players = PLAYERS.map(player => new Player(player, port))
  await Promise.all(players.map(player => player.has('joined')))
  for (const { name, protocol } of PLAYERS) {
    assert.strictEqual(server.player(name).protocol, protocol)
  }
  log(`${players.length} players joined by name`)
  return players
}

/** The load of a real join: every player gets another world, all at the same time. */
async function worldsArriveWhole (server, players) {
  for (const player of players) server.sendWorld(player.name)
  let bytes = 0
  for (const player of players) {
    const { world } = server.player(player.name)
    assert.ok(world.bytes >= WORLD_BYTES_AT_LEAST)
    // The server says in chat when it has sent everything, so that a chunk lost is seen at once.
    await player.hears('world sent')
    assert.deepStrictEqual(await player.has('world'), world, `${player.name}'s world`)
    bytes += world.bytes
  }
  log(`every world arrived whole: ${bytes} bytes of chunks, SHA-256 equal`)
  return bytes
}

async function everybodyHearsEverybody (players) {
  const lines = players.map(player => `<${player.name}> grüße, ${'wörld '.repeat(9)}${player.name}`)
  players.forEach((player, i) => player.tell({ say: lines[i].slice(player.name.length + 3) }))
  for (const player of players) {
    for (const line of lines) await player.hears(line)
  }
  log(`everybody heard everybody: ${players.length} × ${lines.length} lines`)
  return players.length * lines.length
}

async function keepAlivesAreAnswered (server) {
  const answered = () => PLAYERS.map(({ name }) => server.player(name).keepAlives)
  await until('three keep-alives answered by each player', 20_000,
    () => Math.min(...answered()) >= 3)
  log(`keep-alives answered: ${answered()}`)
  return answered().reduce((sum, count) => sum + count)
}

/** Makes a player leave; returns after how many milliseconds the server knew. */
async function leaves (server, player, goodbye) {
  const since = performance.now()
  goodbye(player)
  await until(`the server notices that ${player.name} left`, NOTICED_WITHIN_MS,
    () => server.player(player.name).left)
  const noticed = Math.round(performance.now() - since)
  if (player.process.exitCode === null && player.process.signalCode === null) {
    await once(player.process, 'exit', { signal: AbortSignal.timeout(10_000) })
  }
  log(`${player.name} left, noticed after ${noticed} ms`)
  return noticed
}

main().catch(error => {
  log(`failed: ${error.stack}`)
  process.exit(1)
})
