'use strict'
// A Minecraft 1.7 server that counts: it remembers what it sent to whom and when each one left.

const crypto = require('node:crypto')
const { once } = require('node:events')
const zlib = require('node:zlib')
const { log, minecraftProtocol } = require('../driver.js')

// The shape of a 1.7 chunk column: four sections of 16×16×16 blocks, then the biomes.
const SECTIONS = 4
const BLOCKS = 4096
const HALF_BYTES = 2048
const BIOMES = 256
// What a server sends to somebody who joins: 9 × 9 columns, 2 MB.
const VIEW_DISTANCE = 4
const KEEP_ALIVE_EVERY_MS = 500

class GameServer {
  static async listen (motd) {
    const game = minecraftProtocol().createServer({
      version: '1.7',
      host: '127.0.0.1',
      port: 0,
      'online-mode': false,
      motd,
      checkTimeoutInterval: KEEP_ALIVE_EVERY_MS,
      // Ends with RST are part of the test; the end of the connection is what counts.
      errorHandler: (client, error) => log(`server: ${client.username}: ${error.message}`)
    })
    await once(game, 'listening')
    return new GameServer(game)
  }

  constructor (game) {
    this.game = game
    this.port = game.socketServer.address().port
    this.players = new Map()
    game.on('connection', acceptProtocol4)
    game.on('login', client => this.#joined(client))
  }

  /** What is known of one player: `protocol`, `keepAlives`, `world`, `left`. */
  player (name) { return this.players.get(name) }

  kick (name, reason) { this.player(name).client.end(reason) }

  close () { this.game.close() }

  sendWorld (name) {
    const player = this.player(name)
    const sha256 = crypto.createHash('sha256')
    let bytes = 0
    let columns = 0
    for (let x = -VIEW_DISTANCE; x <= VIEW_DISTANCE; x++) {
      for (let z = -VIEW_DISTANCE; z <= VIEW_DISTANCE; z++) {
        const blocks = randomColumn()
        sha256.update(blocks)
        const compressedChunkData = zlib.deflateSync(blocks, { level: 1 })
        const sections = { groundUp: true, bitMap: (1 << SECTIONS) - 1, addBitMap: 0 }
        player.client.write('map_chunk', { x, z, ...sections, compressedChunkData })
        bytes += compressedChunkData.length
        columns++
      }
    }
    player.world = { bytes, columns, sha256: sha256.digest('hex') }
    say(player.client, 'world sent')
  }

  #joined (client) {
    const player = { client, protocol: client.spoke, keepAlives: 0, left: false }
    this.players.set(client.username, player)
    client.on('keep_alive', () => { player.keepAlives++ })
    client.on('end', () => { player.left = true })
    client.on('chat', ({ message }) => {
      for (const other of this.players.values()) {
        if (!other.left) say(other.client, `<${client.username}> ${message}`)
      }
    })
    client.write('login', {
      entityId: client.id,
      gameMode: 1,
      dimension: 0,
      difficulty: 0,
      maxPlayers: this.game.maxPlayers,
      levelType: 'default'
    })
  }
}

// The library's 1.7 server answers to protocol 5 only. The packets played here are the same in
// both protocols, so a player with protocol 4 is let in and its number remembered.
function acceptProtocol4 (client) {
  client.prependOnceListener('set_protocol', handshake => {
    client.spoke = handshake.protocolVersion
    if (client.spoke === 4) handshake.protocolVersion = 5
  })
}

// Blocks that no compressor shrinks, in full daylight.
function randomColumn () {
  return Buffer.concat([
    crypto.randomBytes(SECTIONS * BLOCKS),
    crypto.randomBytes(SECTIONS * HALF_BYTES),
    Buffer.alloc(2 * SECTIONS * HALF_BYTES, 0xff),
    Buffer.alloc(BIOMES, 1)
  ])
}

function say (client, text) { client.write('chat', { message: JSON.stringify({ text }) }) }

module.exports = { GameServer }
