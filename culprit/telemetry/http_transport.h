#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "culprit/base/result.h"
#include "culprit/base/stop.h"

namespace culprit {

struct TlsOptions {
    std::string ca_file;       ///< PEM; empty = the system's authorities
    std::string cert_file;     ///< client certificate, PEM; empty = none
    std::string key_file;      ///< its key
    bool skip_verify = false;  ///< accept any certificate: for laboratories only
};

struct HttpRequest {
    std::string method = "GET";
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string body = {};
    TlsOptions tls = {};
    double timeout_seconds = 30.0;
};

struct HttpResponse {
    int status = 0;
    std::map<std::string, std::string> headers = {};  ///< names in lower case
};

/// Takes a response body piece by piece, so that an answer of any size needs little memory.
class BodySink {
public:
    virtual ~BodySink() = default;
    /// An error ends the transfer and becomes the request's error.
    virtual Status write(int http_status, std::string_view piece) = 0;
};

/// The network, so that a test can replace it. Safe to use from several threads.
class HttpTransport {
public:
    virtual ~HttpTransport() = default;
    /// A response of any HTTP status is a success here. Errors: unavailable (no connection, broken
    /// off), deadline_exceeded, cancelled, or what the sink returned.
    virtual Result<HttpResponse> send(const HttpRequest& request, BodySink& sink,
                                      const Stop& stop) = 0;
};

/// HTTP/1.1 and HTTP/2 with TLS over libcurl; connections are reused.
std::unique_ptr<HttpTransport> make_curl_transport();

}  // namespace culprit
