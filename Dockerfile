# The command line on a CPU:
#   docker build --build-arg TORCH_INDEX=<address of an index of CPU builds of torch> -t s3net .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" s3net segment scan.nii.gz --task lung --output masks
# constraints.txt pins the version of torch. Without TORCH_INDEX pip may install a CUDA build of several gigabytes.
FROM python:3.11-slim

ARG TORCH_INDEX=""
WORKDIR /opt/s3net
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY s3net_monai ./s3net_monai
COPY data_prep ./data_prep
COPY bundle ./bundle
RUN pip install --no-cache-dir ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt '.[dicom-codecs]'

# Any user may run it; HOME is where libraries may keep caches.
USER nobody
ENV HOME=/tmp
WORKDIR /data
ENTRYPOINT ["s3net"]
CMD ["--help"]
