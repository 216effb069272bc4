#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace culprit {

/// Why the data or the world refused. A bug in Culprit is not an Error but an InternalError
/// (check.h).
enum class ErrorCode : std::uint8_t {
    invalid_input,      ///< an argument, option or value outside what is defined
    missing_input,      ///< a file, column or modality that is needed is absent
    malformed_data,     ///< bytes that do not follow their format
    too_few_samples,    ///< not enough rows, spans or lines for the computation
    not_converged,      ///< an iteration reached its bound
    numerical,          ///< singular, infinite or NaN where a number was needed
    deadline_exceeded,  ///< the time allowed is used up
    cancelled,          ///< a stop was requested
    io_failure,         ///< the operating system refused to read or write
    unavailable,        ///< a remote system does not answer or refuses
    unsupported,        ///< well formed, but not something Culprit handles
};

/// The code's name as JSON and logs spell it, e.g. "too_few_samples".
std::string_view to_string(ErrorCode code);

/// What was needed, then what was found, then where: "granger needs 3p+2 = 32 samples, got 18".
struct Error {
    ErrorCode code = ErrorCode::invalid_input;
    std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

/// `return fail(ErrorCode::too_few_samples, fmt::format(...));`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
    return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// The same error with `context` put in front: "cases/3: data.csv:4: ...".
inline tl::unexpected<Error> fail_with_context(std::string_view context, Error error) {
    error.message.insert(0, std::string(context) + ": ");
    return tl::unexpected<Error>(std::move(error));
}

}  // namespace culprit

// Passes an error up: CULPRIT_TRY(auto frame, read_frame(path));
// CULPRIT_TRY_STATUS(write(path));
#define CULPRIT_CONCAT_(a, b) a##b
#define CULPRIT_CONCAT(a, b) CULPRIT_CONCAT_(a, b)
#define CULPRIT_TRY_(temporary, declaration, expression)                                   \
    auto temporary = (expression);                                                         \
    if (!temporary) return tl::unexpected<::culprit::Error>(std::move(temporary).error()); \
    declaration = std::move(*temporary)
#define CULPRIT_TRY(declaration, expression) \
    CULPRIT_TRY_(CULPRIT_CONCAT(culprit_try_, __LINE__), declaration, expression)
#define CULPRIT_TRY_STATUS(expression)                                                  \
    do {                                                                                \
        auto culprit_status = (expression);                                             \
        if (!culprit_status)                                                            \
            return tl::unexpected<::culprit::Error>(std::move(culprit_status).error()); \
    } while (false)
