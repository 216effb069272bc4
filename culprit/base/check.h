#pragma once

#include <stdexcept>

namespace culprit {

/// A bug in Culprit: thrown by CULPRIT_CHECK, on in release builds too. Caught only where one bad
/// method must not take the rest down: an evaluation cell, a service job, the command line's main.
class InternalError : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace culprit

#define CULPRIT_CHECK(condition)                                                   \
    do {                                                                           \
        if (!(condition)) ::culprit::check_failed(#condition, __FILE__, __LINE__); \
    } while (false)
