# What is looked for beyond the names: that BLAS and LAPACK link.
#
# A BLAS may come without CBLAS, and a cblas.h without its library: link one
# call before anything is compiled.
include(CheckCSourceCompiles)

string(MAKE_C_IDENTIFIER "EBM_CBLAS_LINKS_${EBM_BLAS}" ebm_check)
set(CMAKE_REQUIRED_LIBRARIES ebm::blas)
check_c_source_compiles("
    #include <cblas.h>
    int main(void)
    {
        float a = 2, b = 3, c = 0;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, 1, 1, 1, &a,
                    1, &b, 1, 0, &c, 1);
        return c != 6;
    }" ${ebm_check})
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT ${ebm_check})
    # Forgotten, so that a mended installation is looked at again.
    unset(${ebm_check} CACHE)
    message(FATAL_ERROR "EBM_BLAS=${EBM_BLAS}: a program that includes "
        "cblas.h and calls cblas_sgemm does not link")
endif()

# LAPACK is inside some BLAS libraries (OpenBLAS) and beside others. Which, is
# found once, before ebm::lapack is made, and the installed package is told.
set(ebm_lapack_call "
    extern void dsyevd_(const char *, const char *, const int *, double *,
                        const int *, double *, double *, const int *, int *,
                        const int *, int *, unsigned long, unsigned long);
    int main(void)
    {
        int n = 1, doubles = 9, integers = 8, info = 0;
        double a = 2, w = 0, work[9];
        int iwork[8];
        dsyevd_(\"V\", \"L\", &n, &a, &n, &w, work, &doubles, iwork, &integers,
                &info, 1, 1);
        return info || w != 2;
    }")
string(MAKE_C_IDENTIFIER "EBM_LAPACK_IN_${EBM_BLAS}" ebm_check)
set(CMAKE_REQUIRED_LIBRARIES ebm::blas)
check_c_source_compiles("${ebm_lapack_call}" ${ebm_check})
unset(CMAKE_REQUIRED_LIBRARIES)
set(ebm_lapack "")
if(NOT ${ebm_check})
    set(ebm_lapack "${EBM_LAPACK}")
endif()
include(src/ebm-dependencies.cmake)
if(ebm_lapack)
    string(MAKE_C_IDENTIFIER "EBM_LAPACK_LINKS_${EBM_BLAS}_${EBM_LAPACK}"
        ebm_check)
    set(CMAKE_REQUIRED_LIBRARIES ebm::lapack)
    check_c_source_compiles("${ebm_lapack_call}" ${ebm_check})
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(NOT ${ebm_check})
        unset(${ebm_check} CACHE)
        message(FATAL_ERROR "EBM_LAPACK=${EBM_LAPACK}: a program that calls "
            "dsyevd_ does not link with it and EBM_BLAS=${EBM_BLAS}")
    endif()
endif()
