#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culprit/telemetry/http_transport.h"

namespace culprit {

/// Where a monitoring system answers and how to identify oneself there.
struct HttpEndpoint {
    std::string url;                ///< without a trailing slash
    std::string bearer_token;       ///< or:
    std::string bearer_token_file;  ///< read at every request, because tokens rotate
    std::string username;
    std::string password;
    std::vector<std::pair<std::string, std::string>> headers = {};  ///< e.g. X-Scope-OrgID
    TlsOptions tls = {};
    double timeout_seconds = 30.0;              ///< for one attempt
    int attempts_max = 4;                       ///< first try included
    double backoff_seconds = 0.25;              ///< doubles with every further attempt, at most 8 s
    std::uint64_t body_bytes_max = 64U << 20U;  ///< of answers that are read as a whole
};

using HttpParameters = std::vector<std::pair<std::string, std::string>>;

/// RFC 3986 percent encoding of a query value.
std::string percent_encode(std::string_view text);

/// Receives a streamed body. An attempt that failed half way is repeated from the start: `restart`
/// says so, and the receiver forgets what it has. After the last attempt it keeps what arrived.
class StreamReceiver {
public:
    virtual ~StreamReceiver() = default;
    virtual void restart() = 0;
    virtual Status write(std::string_view piece) = 0;
};

/// One endpoint with authentication, retries and back-off. Retried are broken connections and the
/// statuses 429, 500, 502, 503 and 504 (Retry-After honoured, at most 30 s); everything else is
/// final. Safe to use from several threads.
class HttpClient {
public:
    using Sleep = std::function<void(double seconds, const Stop& stop)>;
    HttpClient(HttpTransport& transport, HttpEndpoint endpoint, Sleep sleep = {});

    const HttpEndpoint& endpoint() const { return endpoint_; }
    /// GET, the whole body.
    Result<std::string> get(std::string_view path, const HttpParameters& parameters,
                            const Stop& stop) const;
    /// GET or, where the query is longer than 1500 bytes and the server may refuse it, POST with a
    /// form; the body in pieces.
    Status stream(std::string_view path, const HttpParameters& parameters, StreamReceiver& receiver,
                  const Stop& stop) const;
    Result<std::string> post(std::string_view path, std::string body, std::string content_type,
                             const Stop& stop) const;

private:
    Status send(const HttpRequest& request, StreamReceiver& receiver, const Stop& stop) const;
    Result<HttpRequest> prepare(std::string_view path) const;

    HttpTransport& transport_;
    HttpEndpoint endpoint_;
    Sleep sleep_;
};

}  // namespace culprit
