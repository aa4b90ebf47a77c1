'use strict'
// One Minecraft 1.7 player: `node player.js PORT NAME PROTOCOL`.
//
// Tells what it sees as JSON lines on stdout (`joined`, `heard`, `world`, `kicked`) and obeys
// JSON lines on stdin (`say`, `quit`). It ends when the connection or stdin does: a player whose
// driver died must not stay behind.

const crypto = require('node:crypto')
const { createInterface } = require('node:readline')
const zlib = require('node:zlib')
const { log, minecraftProtocol } = require('../driver.js')

const [port, username, protocol] = process.argv.slice(2)
const tell = event => process.stdout.write(JSON.stringify(event) + '\n')

const options = {
  version: '1.7',
  host: '127.0.0.1',
  port: Number(port),
  username,
  // The library would print broken packets to stdout; they come as 'error' all the same.
  hideErrors: true
}
const game = minecraftProtocol().createClient(options)
// The library knows 1.7 as protocol 5. It reads the number when the connection stands.
options.protocolVersion = Number(protocol)

const world = { bytes: 0, columns: 0, hash: crypto.createHash('sha256') }

game.on('login', () => tell({ joined: true }))
game.on('map_chunk', ({ compressedChunkData }) => {
  world.bytes += compressedChunkData.length
  world.columns++
  world.hash.update(zlib.inflateSync(compressedChunkData))
})
game.on('chat', ({ message }) => {
  const { text } = JSON.parse(message)
  if (text === 'world sent') {
    tell({ world: { bytes: world.bytes, columns: world.columns, sha256: world.hash.digest('hex') } })
  }
  tell({ heard: text })
})
game.on('kick_disconnect', ({ reason }) => tell({ kicked: reason }))
game.on('error', error => log(`${username}: ${error.message}`))
game.on('end', () => process.stdin.destroy())

createInterface({ input: process.stdin })
  .on('line', line => {
    const order = JSON.parse(line)
    if (order.say) game.chat(order.say)
    if (order.quit) game.end('quit')
  })
  .on('close', () => game.end('driver gone'))
