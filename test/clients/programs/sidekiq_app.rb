# Sidekiq's configuration for test/clients: what config/deploy/clients.md says to set, or with
# DEFAULTS=yes nothing. The jobs are those of test/suites/clients.
require "sidekiq"
require_relative "../../suites/clients/sidekiq_jobs"

unless ENV["DEFAULTS"]
  redis = { url: ENV["REDIS_URL"], timeout: 40 }
  Sidekiq.configure_server { |config| config.redis = redis }
  Sidekiq.configure_client { |config| config.redis = redis }
end
