#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "culprit/telemetry/http_transport.h"

namespace culprit {

/// A server inside a test: answers each request from a function, in pieces of `piece_bytes`, and
/// keeps the requests.
class FakeTransport final : public HttpTransport {
public:
    struct Answer {
        int status = 200;
        std::string body = {};
        std::map<std::string, std::string> headers = {};
        bool broken_off = false;  ///< the connection breaks after half of the body
    };
    using Handler = std::function<Answer(const HttpRequest& request, std::size_t number)>;

    explicit FakeTransport(Handler handler, std::size_t piece_bytes = 7)
        : handler_(std::move(handler)), piece_bytes_(piece_bytes) {}

    Result<HttpResponse> send(const HttpRequest& request, BodySink& sink,
                              const Stop& stop) override {
        CULPRIT_TRY_STATUS(stop.check());
        std::size_t number = 0;
        {
            const std::scoped_lock lock(mutex_);
            number = requests_.size();
            requests_.push_back(request);
        }
        Answer answer = handler_(request, number);
        if (answer.status == 0) return fail(ErrorCode::unavailable, "connection refused");
        std::string_view body = answer.body;
        if (answer.broken_off) body = body.substr(0, body.size() / 2);
        for (std::size_t i = 0; i < body.size(); i += piece_bytes_)
            CULPRIT_TRY_STATUS(sink.write(answer.status, body.substr(i, piece_bytes_)));
        if (answer.broken_off) return fail(ErrorCode::unavailable, "connection reset by peer");
        return HttpResponse{answer.status, answer.headers};
    }
    const std::vector<HttpRequest>& requests() const { return requests_; }

private:
    Handler handler_;
    std::size_t piece_bytes_;
    std::mutex mutex_;
    std::vector<HttpRequest> requests_;
};

}  // namespace culprit
