# The image of steadis: the binary and the CA certificates, nothing else, not run by root.
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t steadis .
#   docker run steadis serve --listen 0.0.0.0:6379 --sentinel ... --master mymaster

FROM golang:1.26-bookworm AS build
WORKDIR /src
# The modules are a layer of their own, which a change of the source leaves as it is.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /steadis ./cmd/steadis

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /steadis /steadis
USER 65532:65532
EXPOSE 6379 9380
# Takes the same variables as `serve`. With flags or a file instead, give the check the same ones.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/steadis", "health"]
ENTRYPOINT ["/steadis"]
CMD ["serve"]
