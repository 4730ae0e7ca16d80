# node-redis as Debian has it. Its own tests are in no package and its source is not to be had
# everywhere; node_use.js uses its main features.

library=node-redis
what=ours

prepare() {
  need_packages node-redis
  version=$(package_version node-redis)
}

run() {
  NODE_PATH=/usr/share/nodejs nodejs "$here/node_use.js"
}
