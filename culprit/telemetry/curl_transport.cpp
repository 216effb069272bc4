#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <optional>

#include "culprit/telemetry/http_transport.h"

namespace culprit {
namespace {

struct Transfer {
    CURL* handle = nullptr;
    BodySink* sink = nullptr;
    const Stop* stop = nullptr;
    HttpResponse response;
    std::optional<Error> sink_error;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    long status = 0;
    curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
    auto written = transfer.sink->write(static_cast<int>(status), {data, size * count});
    if (written) return size * count;
    transfer.sink_error = std::move(written).error();
    return 0;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view line(data, size * count);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return line.size();
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front())) != 0)
        value.remove_prefix(1);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0)
        value.remove_suffix(1);
    if (transfer.response.headers.size() < 100)
        transfer.response.headers[name] = std::string(value);
    return line.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Transfer*>(user)->stop->requested() ? 1 : 0;
}

class CurlTransport final : public HttpTransport {
public:
    CurlTransport() { curl_global_init(CURL_GLOBAL_DEFAULT); }
    CurlTransport(const CurlTransport&) = delete;
    CurlTransport& operator=(const CurlTransport&) = delete;
    ~CurlTransport() override {
        for (CURL* handle : idle_) curl_easy_cleanup(handle);
    }

    Result<HttpResponse> send(const HttpRequest& request, BodySink& sink,
                              const Stop& stop) override {
        CULPRIT_TRY_STATUS(stop.check());
        Transfer transfer{.handle = take_handle(), .sink = &sink, .stop = &stop};
        if (transfer.handle == nullptr)
            return fail(ErrorCode::unavailable, "libcurl gives no more handles");
        curl_slist* headers = configure(transfer, request);
        const CURLcode code = curl_easy_perform(transfer.handle);
        long status = 0;
        curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
        transfer.response.status = static_cast<int>(status);
        curl_slist_free_all(headers);
        give_handle(transfer.handle);
        if (transfer.sink_error) return tl::unexpected<Error>(std::move(*transfer.sink_error));
        CULPRIT_TRY_STATUS(stop.check());
        if (code == CURLE_OPERATION_TIMEDOUT)
            return fail(ErrorCode::unavailable,
                        fmt::format("no answer within {:g} s", request.timeout_seconds));
        if (code != CURLE_OK) return fail(ErrorCode::unavailable, curl_easy_strerror(code));
        return std::move(transfer.response);
    }

private:
    static curl_slist* configure(Transfer& transfer, const HttpRequest& request) {
        CURL* handle = transfer.handle;
        curl_easy_reset(handle);
        curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
        curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS,
                         static_cast<long>(request.timeout_seconds * 1000));
        curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS,
                         static_cast<long>(std::min(request.timeout_seconds, 5.0) * 1000));
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, &transfer);
        curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(handle, CURLOPT_HEADERDATA, &transfer);
        curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &transfer);
        if (!request.tls.ca_file.empty())
            curl_easy_setopt(handle, CURLOPT_CAINFO, request.tls.ca_file.c_str());
        if (!request.tls.cert_file.empty())
            curl_easy_setopt(handle, CURLOPT_SSLCERT, request.tls.cert_file.c_str());
        if (!request.tls.key_file.empty())
            curl_easy_setopt(handle, CURLOPT_SSLKEY, request.tls.key_file.c_str());
        if (request.tls.skip_verify) {
            curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 0L);
            curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 0L);
        }
        if (request.method != "GET") {
            curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
            curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
            curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE,
                             static_cast<curl_off_t>(request.body.size()));
        }
        curl_slist* headers = nullptr;
        for (const auto& [name, value] : request.headers)
            headers = curl_slist_append(headers, fmt::format("{}: {}", name, value).c_str());
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
        return headers;
    }

    CURL* take_handle() {
        const std::scoped_lock lock(mutex_);
        if (idle_.empty()) return curl_easy_init();
        CURL* handle = idle_.back();
        idle_.pop_back();
        return handle;
    }
    void give_handle(CURL* handle) {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(handle);
    }

    std::mutex mutex_;
    std::vector<CURL*> idle_;
};

}  // namespace

std::unique_ptr<HttpTransport> make_curl_transport() { return std::make_unique<CurlTransport>(); }

}  // namespace culprit
