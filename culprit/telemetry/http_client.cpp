#include "culprit/telemetry/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

namespace culprit {
namespace {

constexpr std::size_t error_bytes_max = 2000;
constexpr std::size_t query_bytes_max = 1500;

void sleep_in_slices(double seconds, const Stop& stop) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!stop.requested() && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

std::string base64(std::string_view text) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k)
            bits =
                (bits << 8U) | (i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            out.push_back(i + k <= text.size() ? digits[(bits >> (18U - 6U * k)) & 63U] : '=');
    }
    return out;
}

bool is_retryable(int status) {
    return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

ErrorCode code_of(int status) {
    if (status == 400 || status == 422) return ErrorCode::invalid_input;
    if (status == 404 || status == 405 || status == 501) return ErrorCode::unsupported;
    return ErrorCode::unavailable;
}

// Passes good bodies on and keeps the beginning of bad ones for the message.
class StatusSink final : public BodySink {
public:
    explicit StatusSink(StreamReceiver& receiver) : receiver_(receiver) {}
    Status write(int http_status, std::string_view piece) override {
        if (http_status / 100 == 2) {
            touched_ = true;
            return receiver_.write(piece);
        }
        error_text_.append(
            piece.substr(0, error_bytes_max - std::min(error_bytes_max, error_text_.size())));
        return {};
    }
    bool touched() const { return touched_; }
    const std::string& error_text() const { return error_text_; }

private:
    StreamReceiver& receiver_;
    bool touched_ = false;
    std::string error_text_;
};

class WholeBody final : public StreamReceiver {
public:
    explicit WholeBody(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}
    void restart() override { body_.clear(); }
    Status write(std::string_view piece) override {
        if (body_.size() + piece.size() > bytes_max_)
            return fail(ErrorCode::unsupported,
                        fmt::format("the answer is longer than {} bytes", bytes_max_));
        body_.append(piece);
        return {};
    }
    std::string take() { return std::move(body_); }

private:
    std::uint64_t bytes_max_;
    std::string body_;
};

double retry_after(const HttpResponse& response, double otherwise_seconds) {
    const auto header = response.headers.find("retry-after");
    if (header == response.headers.end()) return otherwise_seconds;
    double seconds = 0;
    const auto& text = header->second;
    if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc{})
        return otherwise_seconds;
    return std::clamp(seconds, 0.0, 30.0);
}

std::string form_of(const HttpParameters& parameters) {
    std::string form;
    for (const auto& [name, value] : parameters) {
        if (!form.empty()) form.push_back('&');
        form += percent_encode(name) + "=" + percent_encode(value);
    }
    return form;
}

}  // namespace

std::string percent_encode(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
        if (plain)
            out.push_back(c);
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

HttpClient::HttpClient(HttpTransport& transport, HttpEndpoint endpoint, Sleep sleep)
    : transport_(transport), endpoint_(std::move(endpoint)), sleep_(std::move(sleep)) {
    while (endpoint_.url.ends_with('/')) endpoint_.url.pop_back();
    if (!sleep_) sleep_ = sleep_in_slices;
}

Result<HttpRequest> HttpClient::prepare(std::string_view path) const {
    HttpRequest request;
    request.url = endpoint_.url + std::string(path);
    request.headers = endpoint_.headers;
    request.tls = endpoint_.tls;
    request.timeout_seconds = endpoint_.timeout_seconds;
    std::string token = endpoint_.bearer_token;
    if (token.empty() && !endpoint_.bearer_token_file.empty()) {
        std::ifstream in(endpoint_.bearer_token_file);
        if (!in)
            return fail(ErrorCode::io_failure,
                        fmt::format("cannot read the token file {}", endpoint_.bearer_token_file));
        std::stringstream text;
        text << in.rdbuf();
        token = text.str();
        while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
    }
    if (!token.empty())
        request.headers.emplace_back("Authorization", "Bearer " + token);
    else if (!endpoint_.username.empty())
        request.headers.emplace_back(
            "Authorization", "Basic " + base64(endpoint_.username + ":" + endpoint_.password));
    return request;
}

Result<std::string> HttpClient::get(std::string_view path, const HttpParameters& parameters,
                                    const Stop& stop) const {
    CULPRIT_TRY(auto request, prepare(path));
    if (!parameters.empty()) request.url += "?" + form_of(parameters);
    WholeBody body(endpoint_.body_bytes_max);
    CULPRIT_TRY_STATUS(send(request, body, stop));
    return body.take();
}

Result<std::string> HttpClient::post(std::string_view path, std::string body,
                                     std::string content_type, const Stop& stop) const {
    CULPRIT_TRY(auto request, prepare(path));
    request.method = "POST";
    request.body = std::move(body);
    request.headers.emplace_back("Content-Type", std::move(content_type));
    WholeBody answer(endpoint_.body_bytes_max);
    CULPRIT_TRY_STATUS(send(request, answer, stop));
    return answer.take();
}

Status HttpClient::stream(std::string_view path, const HttpParameters& parameters,
                          StreamReceiver& receiver, const Stop& stop) const {
    CULPRIT_TRY(auto request, prepare(path));
    std::string form = form_of(parameters);
    if (form.size() <= query_bytes_max) {
        if (!form.empty()) request.url += "?" + form;
    } else {
        request.method = "POST";
        request.body = std::move(form);
        request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    }
    return send(request, receiver, stop);
}

Status HttpClient::send(const HttpRequest& request, StreamReceiver& receiver,
                        const Stop& stop) const {
    const std::string place = request.url.substr(0, request.url.find('?'));
    double backoff_seconds = endpoint_.backoff_seconds;
    Error last{ErrorCode::unavailable, "not tried"};
    for (int attempt = 1; attempt <= std::max(endpoint_.attempts_max, 1); ++attempt) {
        CULPRIT_TRY_STATUS(stop.check());
        StatusSink sink(receiver);
        auto response = transport_.send(request, sink, stop);
        double wait_seconds = backoff_seconds;
        if (response) {
            if (response->status / 100 == 2) return {};
            last = {code_of(response->status),
                    fmt::format("HTTP {}{}{}", response->status,
                                sink.error_text().empty() ? "" : ": ", sink.error_text())};
            if (!is_retryable(response->status)) break;
            wait_seconds = retry_after(*response, backoff_seconds);
        } else {
            last = std::move(response).error();
            if (last.code != ErrorCode::unavailable) break;
        }
        if (attempt == endpoint_.attempts_max) {
            last.message += fmt::format(" (after {} attempts)", attempt);
            break;
        }
        if (sink.touched()) receiver.restart();
        sleep_(wait_seconds, stop);
        backoff_seconds = std::min(backoff_seconds * 2, 8.0);
    }
    return fail_with_context(place, std::move(last));
}

}  // namespace culprit
