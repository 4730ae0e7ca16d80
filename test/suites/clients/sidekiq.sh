# Sidekiq and redis-rb as Debian has them. Sidekiq's own tests are in no package (its source
# package was made without them); sidekiq_use.rb uses the main features of both.

library='Sidekiq and redis-rb'
what=ours

prepare() {
  need_packages ruby ruby-sidekiq ruby-redis
  version="$(package_version ruby-sidekiq), redis-rb $(package_version ruby-redis)"
}

run() {
  LC_ALL=C.UTF-8 ruby "$here/sidekiq_use.rb"
}
